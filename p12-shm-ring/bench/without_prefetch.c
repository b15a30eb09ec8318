/* The sender takes lines from the receiver only when it writes to them. */
#define RING_AHEAD_MAX 0
#define WITHOUT(name) late_##name
#include "p12-shm-ring/bench/without.h"

const struct mechanism without_prefetch = WITHOUT_ROW("no prefetch");
