/* hz3-time: runs one command and says what it alone cost.
 *
 * usage: hz3-time REPORT [--preload LIB] [--repeat N] [--sample-ms N] [--quiet] [--counters] -- command ...
 *
 * REPORT is a file that receives one JSON object. A process keeps the peak RSS of what it was before exec, so a fat
 * parent puts a floor under ru_maxrss; this program is small and static, and the preload reaches the command only.
 *
 * With --quiet the command's stdout goes nowhere, and its stderr (the last repetition's) into the file REPORT.err, so that
 * who finds a failure can say what the command said. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "counters.h"

extern char **environ;
static uint64_t series[4096][2];
static char text[sizeof series / sizeof *series * 40 + 4096];

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

static uint64_t resident(pid_t pid) {
	char path[64], line[128];
	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return 0;
	ssize_t n = read(fd, line, sizeof line - 1);
	close(fd);
	if (n <= 0) return 0;
	line[n] = 0;
	char *second = strchr(line, ' ');
	return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* What the child does until it is the command. */
static void become(char **command, pid_t parent, int null, int said) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent) {
		if (null >= 0) { dup2(null, 1); dup2(said, 2); }
		execvp(command[0], command);
	}
	_exit(127);
}

/* Starts the command. vfork: nothing of this process is copied, so that start-up is the command's own. */
static __attribute__((noinline)) pid_t start_child(char **command, int null, int said) {
	pid_t self = getpid(), pid = vfork();
	if (pid == 0) become(command, self, null, said);
	return pid;
}

/* The same for one that is counted: it waits until its counters are there. */
static __attribute__((noinline)) pid_t start_counted(char **command, int null, int said) {
	int gate[2];
	char go = 1;
	if (pipe2(gate, O_CLOEXEC)) return -1;
	pid_t self = getpid(), pid = fork();
	if (pid == 0) {
		close(gate[1]);
		if (read(gate[0], &go, 1) != 1) _exit(127);
		become(command, self, null, said);
	}
	close(gate[0]);
	if (pid > 0) {
		counters_open(pid);
		if (write(gate[1], &go, 1) != 1) pid = -1;
	}
	close(gate[1]);
	return pid;
}

int main(int argc, char **argv) {
	const char *preload = NULL;
	long repeat = 1, sample = 0;
	int quiet = 0, i = 2;
	for (; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--preload") && i + 1 < argc) preload = argv[++i];
		else if (!strcmp(argv[i], "--repeat") && i + 1 < argc) repeat = atol(argv[++i]);
		else if (!strcmp(argv[i], "--sample-ms") && i + 1 < argc) sample = atol(argv[++i]);
		else if (!strcmp(argv[i], "--quiet")) quiet = 1;
		else if (!strcmp(argv[i], "--counters")) counting = 1;
		else { fprintf(stderr, "hz3-time: '%s'?\n", argv[i]); return 2; }
	}
	if (i + 1 >= argc || repeat < 1) { fprintf(stderr, "usage: hz3-time REPORT [--preload LIB] [--repeat N] [--sample-ms N] [--quiet] [--counters] -- command ...\n"); return 2; }
	char **command = argv + i + 1;
	int null = -1, said = -1;
	if (quiet) {
		char path[4096];
		int n = snprintf(path, sizeof path, "%s.err", argv[1]);
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (n > 0 && n < (int)sizeof path) said = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
		if (null < 0 || said < 0) { perror("hz3-time: where output goes"); return 3; }
	}
	if (preload && setenv("LD_PRELOAD", preload, 1)) { perror("hz3-time: setenv"); return 3; }
	double cpu = 0, wall = 0;
	long peak = 0, points = 0, faults = 0, switches = 0, slept = 0;
	int status = 0;
	for (long r = 0; r < repeat && status == 0; r++) {
		if (said >= 0 && r > 0 && ftruncate(said, 0)) { perror("hz3-time: ftruncate"); return 3; }
		double start = now();
		pid_t pid = counting ? start_counted(command, null, said) : start_child(command, null, said);
		if (pid < 0) { perror("hz3-time: vfork"); return 3; }
		struct rusage u;
		pid_t gone = 0;
		while (sample && (gone = wait4(pid, &status, WNOHANG, &u)) == 0) {
			if (points < (long)(sizeof series / sizeof *series)) {
				series[points][0] = (uint64_t)((now() - start) * 1e6);
				series[points][1] = resident(pid);
				points += series[points][1] != 0;
			}
			usleep((useconds_t)sample * 1000);
		}
		while (gone == 0 && (gone = wait4(pid, &status, 0, &u)) < 0 && errno == EINTR) gone = 0;
		if (gone < 0) { perror("hz3-time: wait4"); return 3; }
		wall += now() - start;
		cpu += seconds(u.ru_utime) + seconds(u.ru_stime);
		faults += u.ru_minflt;
		switches += u.ru_nivcsw;
		slept += u.ru_nvcsw;
		if (counting) counters_read();
		if (u.ru_maxrss > peak) peak = u.ru_maxrss;
	}
	int n = snprintf(text, sizeof text, "{\"wall\":%.9f,\"cpu\":%.6f,\"rss_peak\":%llu,\"faults\":%ld,\"preempted\":%ld,\"exit\":%d,\"signal\":%d,\"series\":[",
		wall / (double)repeat, cpu / (double)repeat, (unsigned long long)peak * 1024, faults / repeat, switches / repeat,
		WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	for (long k = 0; k < points; k++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%s[%llu,%llu]", k ? "," : "", (unsigned long long)series[k][0], (unsigned long long)series[k][1]);
	n += snprintf(text + n, sizeof text - (size_t)n, "]");
	if (counting) n += counters_put(text + n, sizeof text - (size_t)n, repeat, (double)faults, (double)(switches + slept));
	n += snprintf(text + n, sizeof text - (size_t)n, "}\n");
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n) { perror("hz3-time: report"); return 3; }
	return 0;
}
