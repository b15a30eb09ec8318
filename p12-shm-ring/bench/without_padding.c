/* All words of the header on two lines. */
#define RING_LINE 8
#define WITHOUT(name) packed_##name
#include "p12-shm-ring/bench/without.h"

const struct mechanism without_padding = WITHOUT_ROW("no padding");
