# The calculator, on the core that p17 uses too.
$(call library,calc,p16-rpc-calc,arith.c accumulator.c)
TSAN_TESTS += p16_accumulator_test
