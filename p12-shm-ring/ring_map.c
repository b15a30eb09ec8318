/* A record that crosses the end of the data must still be one piece for
 * memcpy(3) and for who writes it in place. So the data is mapped twice:
 *
 *	│ header │ data            │ data again      │
 *	                        └── record ──┘
 *
 * Three pages tables entries for one page cost nothing but addresses.
 */
#include "p12-shm-ring/ring_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p12-shm-ring/ring.h"

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t ring_map_capacity(size_t wanted)
{
	size_t capacity = RING_CAPACITY_MIN;

	if (wanted == 0 || wanted > RING_CAPACITY_MAX)
		return 0;
	while (capacity < wanted || capacity < page_bytes())
		capacity *= 2;
	return capacity;
}

/* FNV-1a, against accidents. */
static uint64_t check_of(const struct ring_header *header)
{
	const uint64_t words[] = {header->version, header->header_bytes,
				  header->capacity};
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int shift = 0; shift < 64; shift += 8) {
			hash ^= words[i] >> shift & 0xff;
			hash *= UINT64_C(0x100000001b3);
		}
	return hash;
}

/* posix_fallocate, unlike ftruncate, fails now where a full file system would
 * be a SIGBUS later. */
static int allocate(int fd, size_t bytes)
{
	int error;

	do
		error = posix_fallocate(fd, 0, (off_t)bytes);
	while (error == EINTR);
	return -error;
}

static int write_at(int fd, const void *buf, size_t bytes)
{
	ssize_t n = pwrite(fd, buf, bytes, 0);

	return n < 0 ? -errno : (size_t)n == bytes ? 0 : -ENOSPC;
}

int ring_map_make(int fd, size_t capacity)
{
	const uint64_t making = RING_MAKING;
	struct ring_header header = {.version = RING_VERSION,
				     .header_bytes = (uint32_t)page_bytes(),
				     .capacity = capacity};
	int rc;

	/* A kill between any two of these leaves something empty, or that
	 * begins with RING_MAKING. */
	rc = write_at(fd, &making, sizeof(making));
	if (!rc)
		rc = allocate(fd, header.header_bytes + capacity);
	if (rc)
		return rc;
	header.check = check_of(&header);
	atomic_init(&header.magic, RING_MAKING);
	rc = write_at(fd, &header, sizeof(header));
	if (rc)
		return rc;
	atomic_init(&header.magic, RING_MAGIC);
	return write_at(fd, &header, sizeof(header.magic));
}

int ring_map_check(int fd, size_t *capacity)
{
	struct ring_header header;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_size == 0)
		return -ENODATA;
	memset(&header, 0, sizeof(header));
	n = pread(fd, &header, sizeof(header), 0);
	if (n < 0)
		return -errno;
	if (n >= 8 && atomic_load(&header.magic) == RING_MAKING)
		return -ENOENT;
	if ((size_t)n < sizeof(header) ||
	    atomic_load(&header.magic) != RING_MAGIC ||
	    header.version != RING_VERSION ||
	    header.check != check_of(&header) ||
	    header.header_bytes != page_bytes() ||
	    header.capacity > RING_CAPACITY_MAX ||
	    ring_map_capacity(header.capacity) != header.capacity ||
	    (uint64_t)st.st_size != header.header_bytes + header.capacity)
		return -EBADMSG;
	*capacity = header.capacity;
	return 0;
}

static bool map_at(void *at, size_t bytes, int fd, size_t offset)
{
	return mmap(at, bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
		    (off_t)offset) != MAP_FAILED;
}

int ring_map_open(struct ring_map *map, int fd, size_t capacity)
{
	const size_t header = page_bytes();
	const size_t bytes = header + 2 * capacity;
	/* Take the addresses first, so that nobody else's lie in between. */
	unsigned char *base = mmap(NULL, bytes, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (base == MAP_FAILED)
		return -errno;
	if (!map_at(base, header + capacity, fd, 0) ||
	    !map_at(base + header + capacity, capacity, fd, header)) {
		error = -errno;
		munmap(base, bytes);
		return error;
	}
	*map = (struct ring_map){.header = (struct ring_header *)base,
				 .data = base + header,
				 .capacity = capacity,
				 .bytes = bytes};
	return 0;
}

void ring_map_close(struct ring_map *map)
{
	if (map->header)
		munmap(map->header, map->bytes);
	map->header = NULL;
}
