/* Handlers of the signal that asks for a profile: the variant's alone, one that the program installs later, and one that was there
 * before the variant was loaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGNAL = 44 };

/* What the handler saw that was there before. Blocked are its own signal, the one that it asked for, and no third one. */
static volatile sig_atomic_t times, value, own_signal, other, third;

static void early(int signal, siginfo_t *info, void *context)
{
	sigset_t blocked;
	(void)context;
	sigprocmask(SIG_BLOCK, 0, &blocked);
	times++;
	value = info->si_value.sival_int;
	own_signal = sigismember(&blocked, signal);
	other = sigismember(&blocked, SIGUSR1);
	third = sigismember(&blocked, SIGUSR2);
}

static struct sigaction before;
static volatile sig_atomic_t own_times, pass;

static void own(int signal, siginfo_t *info, void *context)
{
	own_times++;
	if (pass)
		before.sa_sigaction(signal, info, context);
}

static char path[64];

static void ask(int n)
{
	if (sigqueue(getpid(), SIGNAL, (union sigval){.sival_int = n}))
		exit(20);
}

/* Whether there is a profile; there is none afterwards. */
static int profile(void)
{
	int there = access(path, F_OK) == 0;
	if (there && unlink(path))
		exit(21);
	return there;
}

#define CHECK(what)                                        \
	do {                                                   \
		if (!(what)) {                                     \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what); \
			return 1;                                      \
		}                                                  \
	} while (0)

/* With the handler that was there before, under a variant that comes now. */
static int later_than(const char *what, const char *library)
{
	struct sigaction action = {.sa_sigaction = early, .sa_flags = SA_SIGINFO}, now;
	int once = !strcmp(what, "once"), ignored = !strcmp(what, "ignored");
	sigset_t set;
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	if (once)
		action.sa_flags |= SA_RESETHAND | SA_NODEFER | SA_RESTART;
	if (ignored)
		action.sa_handler = SIG_IGN;
	CHECK(sigaction(SIGNAL, &action, 0) == 0);
	void *variant = dlopen(library, RTLD_NOW);
	if (!variant)
		fprintf(stderr, "%s\n", dlerror());
	CHECK(variant && sigaction(SIGNAL, 0, &now) == 0);
	if (ignored) {
		/* Whoever started the process wants that. */
		CHECK(now.sa_handler == SIG_IGN);
		ask(1);
		CHECK(!profile());
		return 0;
	}
	CHECK(now.sa_sigaction != early && !(now.sa_flags & SA_RESTART) == !once);
	ask(7);
	CHECK(profile() && times == 1 && value == 7);
	if (once) {
		CHECK(!own_signal);
		ask(8);
		CHECK(profile() && times == 1);
		return 0;
	}
	CHECK(own_signal && other && !third);
	/* What was blocked when the signal came stays so. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, 0) == 0);
	ask(8);
	CHECK(profile() && times == 2 && value == 8 && third);
	/* When the variant goes it is as before. */
	CHECK(dlclose(variant) == 0 && sigaction(SIGNAL, 0, &now) == 0);
	CHECK(now.sa_sigaction == early && now.sa_flags & SA_SIGINFO && sigismember(&now.sa_mask, SIGUSR1) == 1);
	profile();
	ask(9);
	CHECK(times == 3 && value == 9 && !profile());
	return 0;
}

int main(int count, char **arguments)
{
	const char *what = count > 1 ? arguments[1] : "";
	struct sigaction now;
	snprintf(path, sizeof path, "hz3.%d.pb", (int)getpid());
	if (count > 2)
		return later_than(what, arguments[2]);
	free(malloc(100));
	CHECK(sigaction(SIGNAL, 0, &now) == 0);
	CHECK(now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN && now.sa_flags & SA_RESTART);
	if (!strcmp(what, "later")) {
		struct sigaction action = {.sa_sigaction = own, .sa_flags = SA_SIGINFO};
		CHECK(sigaction(SIGNAL, &action, &before) == 0);
		ask(1);
		CHECK(own_times == 1 && !profile());
		pass = 1;
		ask(2);
		CHECK(own_times == 2 && profile());
	}
	ask(9);
	CHECK(access(path, F_OK) == 0);
	printf("%d\n", (int)getpid());
	return 0;
}
