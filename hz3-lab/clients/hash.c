/* A hash of very many small nodes: built in order of nothing, then looked up at random. Where nodes lie decides what a look-up costs:
 * each is another page. Timed is the one or the other. */
#include "lab.h"

struct node { struct node *next; uint64_t key, value[2]; };

static uint64_t mixed(uint64_t i) { return (i + 1) * 0x9E3779B97F4A7C15ull; }

int main(int argc, char **argv) {
	uint64_t bytes = 1ull << 30, lookups = 5000000;
	const char *timed = "lookups";
	const struct opt opts[] = {
		{"bytes", "bytes of nodes", &bytes, NULL}, {"lookups", "look-ups", &lookups, NULL},
		{"timed", "build or lookups", NULL, &timed}, {0}};
	lab_options(argc, argv, "hash", "a hash of small nodes, built and looked up at random", opts);
	uint64_t n = bytes / sizeof(struct node), places = 1, s = lab_stream(0), failures = 0, wrong = 0;
	while (places < n / 2) places *= 2;
	struct node **table = calloc(places, sizeof *table);
	if (!table) return lab_end(0, 0, 0, 0, 1, 0);
	double t = now();
	for (uint64_t i = 0; i < n; i++) {
		struct node *p = malloc(sizeof *p);
		if (!p) { failures++; n = i; break; }
		struct node **place = &table[mixed(i) >> 20 & (places - 1)];
		*p = (struct node){*place, mixed(i), {i, i}};
		*place = p;
	}
	double built = now() - t;
	t = now();
	for (uint64_t i = 0; i < lookups && n > 0; i++) {
		uint64_t key = (lcg(&s) >> 16) % n;
		struct node *p = table[mixed(key) >> 20 & (places - 1)];
		while (p && p->key != mixed(key)) p = p->next;
		if (!p || p->value[0] != key) wrong++;
	}
	double looked = now() - t;
	for (uint64_t i = 0; i < places; i++)
		for (struct node *p = table[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	free(table);
	put_u64("build_ms", (uint64_t)(built * 1e3));
	put_u64("lookups_ms", (uint64_t)(looked * 1e3));
	bool build = strcmp(timed, "build") == 0;
	return lab_end(build ? n : lookups, build ? built : looked, n * sizeof(struct node), 0, failures, wrong);
}
