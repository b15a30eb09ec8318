#include "suite/sync/syncop.h"

#include <stdio.h>
#include <sys/mman.h>

const struct syncop *const syncop_table[] = {
	&syncop_mutex,         /* C library */
	&syncop_bounded,       /* p07 */
	&syncop_rwlock_fair,   /* p08 */
	&syncop_rwlock_reader, /* p08 */
	&syncop_rwlock_writer, /* p08 */
	&syncop_posix_sem,     /* C library */
	&syncop_sempool,       /* p10 */
	&syncop_sysv_sem,      /* kernel */
	&syncop_fcntl,         /* kernel */
	&syncop_barrier,       /* C library */
	&syncop_sysv_barrier,  /* p11 */
	NULL,
};

int syncop_ask(const struct syncop *op, struct syncop_limit *limit)
{
	int error = 0;

	*limit = (struct syncop_limit){.most = "any"};
	if (op->check)
		error = op->check(limit);
	if (error)
		snprintf(limit->most, sizeof(limit->most), "none");
	return error;
}

void *syncop_share(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

void syncop_unshare(void *shared, size_t size)
{
	if (shared)
		munmap(shared, size);
}
