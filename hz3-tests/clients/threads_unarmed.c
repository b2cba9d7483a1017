/* As threads_keyless, where there is a key and the C library has no memory to set it in any thread. */
#define UNARMED
#include "threads_keyless.c"
