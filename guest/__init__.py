"""The programs: assembler, ELF loader, include files, guest programs and scenarios."""
