/* The library that page_size preloads: a getauxval in front of the C library's, which says what a variable tells it of pages. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_stack_end; /* Where the kernel put arguments, environment and auxiliary vector, one behind the other. */

static const char VARIABLE[] = "HZ3_TEST_PAGE=";

unsigned long getauxval(unsigned long type)
{
    long *at = __libc_stack_end;
    char **word = (char **)(at + 1 + *at + 1);
    for (; *word; word++)
        if (type == AT_PAGESZ && strncmp(*word, VARIABLE, sizeof VARIABLE - 1) == 0)
            return strtoul(*word + sizeof VARIABLE - 1, NULL, 10);
    for (const Elf64_auxv_t *entry = (const Elf64_auxv_t *)(word + 1); entry->a_type != AT_NULL; entry++)
        if (entry->a_type == type)
            return entry->a_un.a_val;
    return 0;
}
