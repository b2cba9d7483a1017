/* Counters of the kernel and the processor for one command, its threads and its children (perf_event_open). What cannot be
 * counted is named with the reason. Page faults and context switches are also known from wait4, so they are never missing. */
#ifndef HZ3_LAB_COUNTERS_H
#define HZ3_LAB_COUNTERS_H
#include <linux/perf_event.h>
#include <sys/syscall.h>

#define CACHE(cache, op, result) ((cache) | (op) << 8 | (result) << 16)

static struct counter {
	const char *name;
	uint32_t type;
	uint64_t config;
	int fd, why;      /* why: errno of who could not be opened; -1: it never had a turn */
	int user;         /* user mode only: the kernel's share may not be counted */
	double sum;
	long runs;
} counters[] = {
	{"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, -1, 0, 0, 0, 0},
	{"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, -1, 0, 0, 0, 0},
	{"branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES, -1, 0, 0, 0, 0},
	{"cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, -1, 0, 0, 0, 0},
	{"tlb-misses", PERF_TYPE_HW_CACHE, CACHE(PERF_COUNT_HW_CACHE_DTLB, PERF_COUNT_HW_CACHE_OP_READ, PERF_COUNT_HW_CACHE_RESULT_MISS), -1, 0, 0, 0, 0},
	{"page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, -1, 0, 0, 0, 0},
	{"context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, -1, 0, 0, 0, 0},
	{"migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, -1, 0, 0, 0, 0},
};
#define COUNTERS (sizeof counters / sizeof *counters)
static int counting;

/* Begins to count when the process executes its command. */
static void counters_open(pid_t pid) {
	for (unsigned i = 0; i < COUNTERS; i++) {
		struct counter *c = &counters[i];
		struct perf_event_attr a;
		memset(&a, 0, sizeof a);
		a.size = sizeof a;
		a.type = c->type;
		a.config = c->config;
		a.disabled = 1;
		a.inherit = 1;
		a.enable_on_exec = 1;
		a.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
		for (int user = 0; user < 2; user++) {
			a.exclude_kernel = a.exclude_hv = (unsigned)user;
			c->fd = (int)syscall(SYS_perf_event_open, &a, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
			c->why = c->fd < 0 ? errno : 0;
			c->user = user;
			if (c->fd >= 0 || (c->why != EACCES && c->why != EPERM)) break;
		}
	}
}

/* After the command has ended: adds up what it took. A counter that shared its register with others is scaled. */
static void counters_read(void) {
	for (unsigned i = 0; i < COUNTERS; i++) {
		struct counter *c = &counters[i];
		uint64_t v[3];
		if (c->fd < 0) continue;
		if (read(c->fd, v, sizeof v) != sizeof v) c->why = errno;
		else if (v[2] == 0 && v[1] != 0) c->why = -1;
		else {
			c->sum += v[2] && v[2] < v[1] ? (double)v[0] * (double)v[1] / (double)v[2] : (double)v[0];
			c->runs++;
		}
		close(c->fd);
		c->fd = -1;
	}
}

static const char *counters_reason(const struct counter *c) {
	static char text[128];
	char level[16] = "?";
	if (c->why == ENOENT || c->why == EOPNOTSUPP) return c->type == PERF_TYPE_SOFTWARE ? "this kernel does not count it" : "this machine does not count it; virtual machines often have no counters";
	if (c->why == ENOSYS) return "this kernel has no perf_event_open";
	if (c->why == -1) return "the processor had no register free for it";
	if (c->why != EACCES && c->why != EPERM) return strerror(c->why);
	int fd = open("/proc/sys/kernel/perf_event_paranoid", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, level, sizeof level - 1);
	if (fd >= 0) close(fd);
	if (n > 0) level[n - 1] = 0;
	snprintf(text, sizeof text, "not allowed: kernel.perf_event_paranoid is %s, and up to 2 would do", level);
	return text;
}

/* Adds `,"counters":{…},"missing":{…}` to the report; faults and switches are those of wait4. */
static int counters_put(char *out, size_t room, long repeat, double faults, double switches) {
	int n = snprintf(out, room, ",\"counters\":{");
	const char *comma = "";
	for (unsigned i = 0; i < COUNTERS; i++) {
		struct counter *c = &counters[i];
		if (c->runs == 0 && !strcmp(c->name, "page-faults")) { c->sum = faults; c->runs = 1; }
		if (c->runs == 0 && !strcmp(c->name, "context-switches")) { c->sum = switches; c->runs = 1; }
		if (!c->runs) continue;
		n += snprintf(out + n, room - (size_t)n, "%s\"%s\":%.0f", comma, c->name, c->sum / (double)repeat);
		comma = ",";
	}
	n += snprintf(out + n, room - (size_t)n, "},\"missing\":{");
	comma = "";
	for (unsigned i = 0; i < COUNTERS; i++) {
		struct counter *c = &counters[i];
		if (c->runs && !c->user) continue;
		n += snprintf(out + n, room - (size_t)n, "%s\"%s\":\"%s\"", comma, c->name, c->runs ? "in user mode only: the kernel may not be counted" : counters_reason(c));
		comma = ",";
	}
	return n + snprintf(out + n, room - (size_t)n, "}");
}
#endif
