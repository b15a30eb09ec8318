/* map.c - see map.h. */
#include "p14-mmapdb/map.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { RESERVE = 1 << 24 /* pages: 64 GB */ };

static void *reserve(uint64_t bytes, int protection)
{
	void *at = mmap(NULL, bytes, protection,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Less will do where there is a limit (RLIMIT_AS). */
static int reserve_all(struct mmapdb *db, uint64_t pages)
{
	for (uint64_t want = pages > RESERVE / 2 ? 2 * pages : RESERVE;
	     want >= pages; want /= 2) {
		db->reserved = want;
		db->map = reserve(want * LAYOUT_PAGE, PROT_NONE);
		if (db->map)
			db->tags = reserve(want * sizeof(*db->tags),
					   PROT_READ | PROT_WRITE);
		if (db->tags)
			return 0;
		map_close(db);
	}
	return handle_fail(db, -ENOMEM, "no addresses for the file");
}

int map_extend(struct mmapdb *db, uint64_t *pages)
{
	struct stat st;

	if (fstat(db->fd, &st))
		return handle_fail(db, -errno, "cannot look at the file");
	*pages = (uint64_t)st.st_size / LAYOUT_PAGE;
	if (*pages > LAYOUT_PGNO)
		*pages = LAYOUT_PGNO;
	if (*pages <= db->mapped)
		return 0;
	if (*pages > db->reserved) {
		int error;

		map_close(db);
		error = reserve_all(db, *pages);
		if (error)
			return error;
	}
	if (mmap((unsigned char *)db->map + db->mapped * LAYOUT_PAGE,
		 (*pages - db->mapped) * LAYOUT_PAGE, PROT_READ,
		 MAP_SHARED | MAP_FIXED, db->fd,
		 (off_t)(db->mapped * LAYOUT_PAGE)) == MAP_FAILED)
		return handle_fail(db, -errno, "cannot map the file");
	db->mapped = *pages;
	return 0;
}

void map_close(struct mmapdb *db)
{
	if (db->map)
		munmap((void *)db->map, db->reserved * LAYOUT_PAGE);
	if (db->tags)
		munmap(db->tags, db->reserved * sizeof(*db->tags));
	db->map = NULL;
	db->tags = NULL;
	db->mapped = db->reserved = 0;
}
