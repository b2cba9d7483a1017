/* Keeps known objects, and has profiles written of them: by a signal, in a child, and when it ends. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL = 40000, MIDDLE = 2000, LARGE = 20, MADE = 20000 };
static void *small[SMALL], *middle[MIDDLE], *large[LARGE], *made[MADE];

static void *make(void *unused)
{
	for (int i = 0; i < MADE; i++)
		made[i] = malloc(300);
	return unused;
}

extern int hz3_profile_dump(const char *) __attribute__((weak));

int main(void)
{
	char path[64];
	pthread_t thread;
	for (int i = 0; i < SMALL; i++) {
		small[i] = malloc(100);
		free(malloc(100));
	}
	/* What becomes longer where it is has its new length in the profile. */
	for (int i = 0; i < MIDDLE; i++)
		middle[i] = realloc(malloc(4800), 5000);
	for (int i = 0; i < LARGE; i++)
		large[i] = realloc(malloc(199000), 200000);
	if (pthread_create(&thread, 0, make, 0) || pthread_join(thread, 0))
		return 2;
	/* Another thread's objects go, those of every second run of 100. */
	for (int i = 0; i < MADE; i++)
		if (i / 100 % 2)
			free(made[i]);
	raise(44);
	snprintf(path, sizeof path, "hz3.%d.pb", (int)getpid());
	if (rename(path, "signal.pb"))
		return 3;
	pid_t child = fork();
	if (child == 0) {
		for (int i = 0; i < SMALL; i++)
			free(small[i]);
		for (int i = 0; i < LARGE; i++)
			free(large[i]);
		_exit(hz3_profile_dump ? hz3_profile_dump("child.pb") : 1);
	}
	int status;
	if (waitpid(child, &status, 0) != child || status)
		return 4;
	for (int i = 0; i < MIDDLE; i++)
		free(middle[i]);
	printf("%d\n", (int)getpid());
	return 0;
}
