"""What all tests share.  Those of the kernel run without the machine's packages."""

from importlib.util import find_spec

pytest_plugins = ["pytester", "lab.testing"] if find_spec("unicorn") else []
