/* A program in C, which no C++ library belongs to, loads an extension in C++ later, several times, and memory is out in it.
 * Argument: the extension's path. */
#include "client.h"

#include <signal.h>

static const size_t HUGE = (size_t)1 << 60;

static int call(void *library, const char *name, size_t size)
{
    union {
        void *symbol;
        int (*call)(size_t);
    } extension;
    extension.symbol = dlsym(library, name);
    CHECK(extension.symbol, "no %s: %s", name, dlerror());
    return extension.call(size);
}

/* Who asks a variant for C++ memory, and is no C++, ends with a message. */
static void without_cxx(void)
{
    union {
        void *symbol;
        void *(*call)(size_t);
    } plain;
    plain.symbol = dlsym(RTLD_DEFAULT, "_Znwm");
    if (!plain.symbol)
        return; /* The C library's malloc has no such function. */
    void *p = plain.call(100);
    CHECK(p, "no memory");
    free(p);
    int ends[2], status;
    char text[500] = "";
    CHECK(pipe(ends) == 0, "pipe: errno %d", errno);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        plain.call(HUGE);
        _exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t more; (more = read(ends[0], text + used, sizeof text - 1 - used)) > 0;)
        used += (size_t)more;
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child, "waitpid: errno %d", errno);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the child's status is %d", status);
    CHECK(strstr(text, "operator new: out of memory"), "it says `%s`", text);
}

int main(int argc, char **argv)
{
    client_start();
    CHECK(argc > 1, "which extension?");
    CHECK(!dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv"), "the C++ library is here already");
    without_cxx();
    static const char *const forms[] = {"extension_throwing", "extension_container", "extension_nothrow",
                                        "extension_aligned"};
    for (int round = 0; round < 5; round++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        CHECK(library, "dlopen: %s", dlerror());
        for (size_t i = 0; i < COUNT(forms); i++) {
            int small = call(library, forms[i], 1000), huge = call(library, forms[i], HUGE);
            CHECK(small == 0 && huge == 12, "%s: %d and %d, not 0 and 12", forms[i], small, huge);
        }
        int asked = call(library, "extension_handler", HUGE), own = call(library, "extension_throwing_handler", HUGE);
        CHECK(asked == 12, "with a handler: %d", asked);
        CHECK(own == 13, "with a handler that throws: %d", own);
        CHECK(dlclose(library) == 0, "dlclose: %s", dlerror());
    }
    return 0;
}
