/* A middling source for a compiler to chew on: tables, small functions, a parser. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node { struct node *left, *right; uint64_t key; char text[24]; };
static struct node *insert(struct node *t, uint64_t key, const char *text) {
	if (!t) {
		t = calloc(1, sizeof *t);
		if (!t) abort();
		t->key = key;
		strncpy(t->text, text, sizeof t->text - 1);
		return t;
	}
	if (key < t->key) t->left = insert(t->left, key, text);
	else if (key > t->key) t->right = insert(t->right, key, text);
	return t;
}
static uint64_t walk(const struct node *t) { return t ? walk(t->left) + t->key + strlen(t->text) + walk(t->right) : 0; }
static int parse(const char **s, int depth) {
	int v = 0;
	while (**s == ' ') ++*s;
	if (**s == '(' && depth < 100) { ++*s; v = parse(s, depth + 1); if (**s == ')') ++*s; }
	else while (**s >= '0' && **s <= '9') v = v * 10 + *(*s)++ - '0';
	for (;;) {
		while (**s == ' ') ++*s;
		switch (**s) {
		case '+': ++*s; v += parse(s, depth + 1); break;
		case '-': ++*s; v -= parse(s, depth + 1); break;
		case '*': ++*s; v *= parse(s, depth + 1); break;
		default: return v;
		}
	}
}

#define MIX(N, A, B, C) \
	static uint32_t mix##N(uint32_t *v, size_t n) { \
		uint32_t h = A##u; \
		for (size_t i = 0; i < n; i++) { \
			uint32_t x = v[i] ^ (h << B); \
			switch (x % 11) { \
			case 0: h += x * C##u; break; \
			case 1: h ^= x >> 3; break; \
			case 2: h = h * 33 + x; break; \
			case 3: v[i] = h; break; \
			case 4: h -= v[n - 1 - i]; break; \
			case 5: for (unsigned k = 0; k < (x & 7); k++) h ^= h << 5 ^ v[(i + k) % n]; break; \
			default: h = (h >> 7) | (h << 25); \
			} \
		} \
		return h; \
	}
MIX(0, 2654435761, 3, 40503)
MIX(1, 1013904231, 4, 55988)
MIX(2, 3668339992, 5, 5952)
MIX(3, 2027808462, 6, 21437)
MIX(4, 387276932, 7, 36922)
MIX(5, 3041712693, 8, 52407)
MIX(6, 1401181163, 9, 2371)
MIX(7, 4055616924, 10, 17856)
MIX(8, 2415085394, 11, 33341)
MIX(9, 774553864, 3, 48826)
MIX(10, 3428989625, 4, 64311)
MIX(11, 1788458095, 5, 14275)
MIX(12, 147926565, 6, 29760)
MIX(13, 2802362326, 7, 45245)
MIX(14, 1161830796, 8, 60730)
MIX(15, 3816266557, 9, 10694)
MIX(16, 2175735027, 10, 26179)
MIX(17, 535203497, 11, 41664)
MIX(18, 3189639258, 3, 57149)
MIX(19, 1549107728, 4, 7113)
MIX(20, 4203543489, 5, 22598)
MIX(21, 2563011959, 6, 38083)
MIX(22, 922480429, 7, 53568)
MIX(23, 3576916190, 8, 3532)
MIX(24, 1936384660, 9, 19017)
MIX(25, 295853130, 10, 34502)
MIX(26, 2950288891, 11, 49987)
MIX(27, 1309757361, 3, 65472)
MIX(28, 3964193122, 4, 15436)
MIX(29, 2323661592, 5, 30921)
MIX(30, 683130062, 6, 46406)
MIX(31, 3337565823, 7, 61891)
MIX(32, 1697034293, 8, 11855)
MIX(33, 56502763, 9, 27340)
MIX(34, 2710938524, 10, 42825)
MIX(35, 1070406994, 11, 58310)
MIX(36, 3724842755, 3, 8274)
MIX(37, 2084311225, 4, 23759)
MIX(38, 443779695, 5, 39244)
MIX(39, 3098215456, 6, 54729)
MIX(40, 1457683926, 7, 4693)
MIX(41, 4112119687, 8, 20178)
MIX(42, 2471588157, 9, 35663)
MIX(43, 831056627, 10, 51148)
MIX(44, 3485492388, 11, 1112)
MIX(45, 1844960858, 3, 16597)
MIX(46, 204429328, 4, 32082)
MIX(47, 2858865089, 5, 47567)
MIX(48, 1218333559, 6, 63052)
MIX(49, 3872769320, 7, 13016)
MIX(50, 2232237790, 8, 28501)
MIX(51, 591706260, 9, 43986)
MIX(52, 3246142021, 10, 59471)
MIX(53, 1605610491, 11, 9435)
MIX(54, 4260046252, 3, 24920)
MIX(55, 2619514722, 4, 40405)
MIX(56, 978983192, 5, 55890)
MIX(57, 3633418953, 6, 5854)
MIX(58, 1992887423, 7, 21339)
MIX(59, 352355893, 8, 36824)
int main(int argc, char **argv) {
	uint32_t v[257];
	struct node *t = NULL;
	uint32_t h = (uint32_t)argc;
	for (unsigned i = 0; i < 257; i++) v[i] = i * 2654435761u;
	h ^= mix0(v, 257);
	h ^= mix1(v, 257);
	h ^= mix2(v, 257);
	h ^= mix3(v, 257);
	h ^= mix4(v, 257);
	h ^= mix5(v, 257);
	h ^= mix6(v, 257);
	h ^= mix7(v, 257);
	h ^= mix8(v, 257);
	h ^= mix9(v, 257);
	h ^= mix10(v, 257);
	h ^= mix11(v, 257);
	h ^= mix12(v, 257);
	h ^= mix13(v, 257);
	h ^= mix14(v, 257);
	h ^= mix15(v, 257);
	h ^= mix16(v, 257);
	h ^= mix17(v, 257);
	h ^= mix18(v, 257);
	h ^= mix19(v, 257);
	h ^= mix20(v, 257);
	h ^= mix21(v, 257);
	h ^= mix22(v, 257);
	h ^= mix23(v, 257);
	h ^= mix24(v, 257);
	h ^= mix25(v, 257);
	h ^= mix26(v, 257);
	h ^= mix27(v, 257);
	h ^= mix28(v, 257);
	h ^= mix29(v, 257);
	h ^= mix30(v, 257);
	h ^= mix31(v, 257);
	h ^= mix32(v, 257);
	h ^= mix33(v, 257);
	h ^= mix34(v, 257);
	h ^= mix35(v, 257);
	h ^= mix36(v, 257);
	h ^= mix37(v, 257);
	h ^= mix38(v, 257);
	h ^= mix39(v, 257);
	h ^= mix40(v, 257);
	h ^= mix41(v, 257);
	h ^= mix42(v, 257);
	h ^= mix43(v, 257);
	h ^= mix44(v, 257);
	h ^= mix45(v, 257);
	h ^= mix46(v, 257);
	h ^= mix47(v, 257);
	h ^= mix48(v, 257);
	h ^= mix49(v, 257);
	h ^= mix50(v, 257);
	h ^= mix51(v, 257);
	h ^= mix52(v, 257);
	h ^= mix53(v, 257);
	h ^= mix54(v, 257);
	h ^= mix55(v, 257);
	h ^= mix56(v, 257);
	h ^= mix57(v, 257);
	h ^= mix58(v, 257);
	h ^= mix59(v, 257);
	for (int i = 0; i < argc; i++) t = insert(t, h + (uint32_t)i, argv[i]);
	const char *s = argc > 1 ? argv[1] : "1+(2*3)-4";
	printf("%u %d %llu\n", h, parse(&s, 0), (unsigned long long)walk(t));
	return 0;
}
