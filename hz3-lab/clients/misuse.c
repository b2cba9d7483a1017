/* Commits one kind of misuse of malloc, and says what came of it.
 *
 * usage: misuse KIND | --list | --prove
 *
 * misuse.h says what is printed. The kinds are chosen so that each is one that real programs commit, or one step of an
 * attack. Nothing here depends on time; what an allocator does at random is its own. */
#include "misuse.h"
#include "misuse_double.h"
#include "misuse_stale.h"
#include "misuse_bounds.h"
#include "misuse_wrong.h"
#include "misuse_asked.h"

struct family {
	const char *name, *title;
	bool property; /* not a misuse, but what a misuse can count on */
	bool access;   /* it reads or writes: if that faults, it is stopped where it happens */
	const struct kind *kinds;
	size_t count;
};
#define FAMILY(name, title, property, access, kinds) {name, title, property, access, kinds, sizeof kinds / sizeof *kinds}
static const struct family families[] = {
	FAMILY("double", "Double free", false, false, doubles),
	FAMILY("stale", "Use after free", false, true, stales),
	FAMILY("over", "Overflow", false, true, overs),
	FAMILY("under", "Underflow", false, true, unders),
	FAMILY("free", "Wrong pointer", false, false, wrongs),
	FAMILY("sized", "Wrong size", false, false, sizes_told),
	FAMILY("meta", "Metadata", false, true, sweeps),
	FAMILY("ask", "Impossible request", false, false, asks),
	FAMILY("told", "Old data", true, false, tolds),
	FAMILY("place", "Places", true, false, places),
};

static void list(void) {
	for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
		const struct family *family = &families[f];
		lab_put("%s{\"name\":\"%s\",\"title\":\"%s\",\"property\":%s,\"access\":%s,\"kinds\":[", f ? "," : "[", family->name, family->title,
			family->property ? "true" : "false", family->access ? "true" : "false");
		for (size_t i = 0; i < family->count; i++)
			lab_put("%s{\"name\":\"%s\",\"says\":\"%s\"}", i ? "," : "", family->kinds[i].name, family->kinds[i].says);
		lab_put("]}");
	}
	lab_put("]\n");
	lab_write(1);
	_exit(0);
}

int main(int argc, char **argv) {
	if (argc != 2) lab_die("usage: misuse KIND | --list | --prove");
	if (!strcmp(argv[1], "--list")) list();
	if (!strcmp(argv[1], "--prove")) lab_prove("misuse");
	if (!strcmp(argv[1], "--observe")) observe();
	bound(1);
	if (pipe2(probe, O_CLOEXEC)) lab_die("misuse: no pipe");
	for (size_t f = 0; f < sizeof families / sizeof *families; f++)
		for (size_t i = 0; i < families[f].count; i++)
			if (!strcmp(argv[1], families[f].kinds[i].name)) {
				families[f].kinds[i].commit();
				return 0;
			}
	lab_die("misuse: no kind '%s'; see --list", argv[1]);
}
