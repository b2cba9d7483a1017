/* The library that life_dlopen loads: its constructor and destructor allocate, and it hands objects out. */
#include <stdlib.h>
#include <string.h>

static char *own;
static __thread char *in_thread;

__attribute__((constructor)) static void constructor(void)
{
    own = malloc(3000);
    if (!own)
        abort();
    memset(own, 'p', 3000);
}

__attribute__((destructor)) static void destructor(void)
{
    for (int i = 0; i < 3000; i++)
        if (own[i] != 'p')
            abort();
    free(own);
    free(malloc(20000));
}

char *plugin_text(size_t size);
void plugin_take(char *text);

char *plugin_text(size_t size)
{
    free(in_thread);
    in_thread = malloc(50);
    char *text = malloc(size + 1);
    if (!in_thread || !text)
        abort();
    memset(text, 'q', size);
    text[size] = 0;
    return text;
}

void plugin_take(char *text)
{
    free(text);
    free(in_thread);
    in_thread = NULL;
}
