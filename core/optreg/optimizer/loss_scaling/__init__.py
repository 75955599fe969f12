"""Loss scaling for float16: an optimizer around another one."""
