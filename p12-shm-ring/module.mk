$(call library,sem_ring,p12-shm-ring,sem_ring.c)
$(call library,shm_ring,p12-shm-ring,ring.c ring_name.c ring_map.c ring_seat.c ring_wait.c ring_gather.c ring_send.c ring_recv.c)
$(call library,shm_ring_bench,p12-shm-ring,ring_mechanism.c lane.c traffic.c,,shm_ring sem_ring p06)
$(call program,shm_ringbuffer_bench,p12-shm-ring,shm_ringbuffer_bench.c report.c,shm_ring_bench,jansson)
$(call program,shm_cat,p12-shm-ring,shm_cat.c,shm_ring)
# Boost's queue, where its headers are installed, and as users build it.
RING_PEERS := $(if $(wildcard /usr/include/boost/interprocess/ipc \
	/usr/local/include/boost/interprocess/ipc),peer_boost.cc)
$(call bench,p12-shm-ring,bench.c rows.c \
	without_padding.c without_mirror.c $(RING_PEERS),shm_ring_bench)
HEADERS += p12-shm-ring/ring.h p12-shm-ring/sem_ring.h
TSAN_TESTS += p12_ring_threads_test
TEST_LIBS_p12_kill_stress_test := p06
# Its children die at random; what they leave is the point.
VALGRIND_SKIP += p12_kill_stress_test
