$(call library,sem_ring,p12-shm-ring,sem_ring.c)
$(call library,shm_ring,p12-shm-ring,ring.c ring_name.c ring_map.c \
	ring_wait.c ring_gather.c ring_send.c ring_recv.c)
$(call library,shm_ring_bench,p12-shm-ring,bench/ring_mechanism.c \
	bench/lane.c bench/traffic.c,,shm_ring sem_ring p06)
# Among the benches, as it takes P06's pipe and socket to compare with.
$(call program,shm_ringbuffer_bench,p12-shm-ring,\
	bench/shm_ringbuffer_bench.c bench/report.c,shm_ring_bench,jansson)
$(call program,shm_cat,p12-shm-ring,cmd/shm_cat.c,shm_ring)
# Boost's queue, where its headers are installed, and as users build it.
RING_PEERS := $(if $(wildcard /usr/include/boost/interprocess/ipc \
	/usr/local/include/boost/interprocess/ipc),bench/peer_boost.cc)
$(call bench,p12-shm-ring,bench/bench.c bench/rows.c \
	bench/without.c bench/without_padding.c bench/without_mirror.c \
	bench/without_prefetch.c bench/without_gathering.c $(RING_PEERS),shm_ring_bench)
$(call mechanism,ring,p12-shm-ring/ring.h,shm_ring)
$(call mechanism,sem_ring,p12-shm-ring/sem_ring.h,sem_ring)
TSAN_TESTS += p12/ring_threads_test
TEST_LDFLAGS_p12/ring_life_test := -Wl,--wrap=identity_role_give_up \
	-Wl,--wrap=posix_fallocate,--wrap=identity_role_look
TEST_LDFLAGS_p12/ring_gather_test := -Wl,--wrap=ring_pause,--wrap=tick_now,--wrap=tick_is_over
TEST_LDFLAGS_p12/sem_ring_test := -Wl,--wrap=posix_fallocate
TEST_LIBS_p12/kill_stress_test := p06
# Its children die at random; what they leave is the point.
VALGRIND_SKIP += p12/kill_stress_test
