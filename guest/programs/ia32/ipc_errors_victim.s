# The thread of ipc_errors that dies: it touches address 0 and has no pager.

.text
_start:
    xor eax, eax
    mov eax, dword ptr [eax]
