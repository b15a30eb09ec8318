/* meta.c - the seal tells a damaged version from one that never became whole.
 *
 * After a power cut, the newest meta page may be torn, or pages that it lists
 * may be missing: then its transaction was never acknowledged, and the version
 * before it is the right one. But when the disk has changed a bit in them, the
 * version before would be a wrong answer. So once a version is durable, its
 * number is written to the seal, which the next sync (or the kernel, by itself)
 * takes to the disk: a version that is not older than the seal must be there. */
#include "p14-mmapdb/meta.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "lib/crc32c.h"
#include "p14-mmapdb/output.h"
#include "p14-mmapdb/page.h"

static uint32_t meta_checksum(const struct layout_meta *meta)
{
	return crc32c(meta, offsetof(struct layout_meta, crc));
}

bool meta_is_sound(const struct layout_version *version)
{
	/* The state has the number in 48 bits, and there are some to come. */
	return version->txnid < UINT64_C(1) << 47 &&
	       version->depth <= MMAPDB_DEPTH_MAX &&
	       (version->root & ~LAYOUT_PGNO) == 0;
}

int meta_read(const struct mmapdb *db, unsigned int page,
	      struct layout_meta *meta)
{
	memcpy(meta, db->map + (size_t)page * LAYOUT_PAGE, sizeof(*meta));
	return meta->magic == LAYOUT_MAGIC && meta->format == LAYOUT_FORMAT &&
			       meta->crc == meta_checksum(meta) &&
			       memcmp(meta->id, db->id, sizeof(meta->id)) ==
				       0 &&
			       meta->listed <= LAYOUT_LISTED &&
			       meta_is_sound(&meta->version)
		       ? 0
		       : -EBADMSG;
}

int meta_verify(struct mmapdb *db, const struct layout_meta *meta)
{
	if (meta->version.pages > db->mapped)
		return handle_fail(db, -EBADMSG,
				   "the file is cut off: %llu of %llu pages",
				   (unsigned long long)db->mapped,
				   (unsigned long long)meta->version.pages);
	for (unsigned int i = 0; i < meta->listed; i++) {
		const struct layout_listed *listed = &meta->list[i];
		const struct layout_page *page;
		const char *fault = "there is none of this number";

		if (listed->pgno < meta->version.pages) {
			page = (const void *)(db->map + (size_t)listed->pgno *
								LAYOUT_PAGE);
			fault = page_fault(page, listed->pgno,
					   meta->version.pages);
			if (!fault && page->crc != listed->crc)
				fault = "it is of another version";
		}
		if (fault)
			return handle_fail(db, -EBADMSG, "page %u: %s",
					   listed->pgno, fault);
	}
	return 0;
}

uint64_t meta_sealed(const struct mmapdb *db)
{
	struct layout_seal seal;

	memcpy(&seal, db->map + (size_t)LAYOUT_SEAL * LAYOUT_PAGE,
	       sizeof(seal));
	return seal.magic == LAYOUT_SEAL_MAGIC &&
			       memcmp(seal.id, db->id, sizeof(seal.id)) == 0 &&
			       seal.crc ==
				       crc32c(&seal,
					      offsetof(struct layout_seal, crc))
		       ? seal.txnid
		       : 0;
}

int meta_choose(struct mmapdb *db, struct layout_meta *meta, unsigned int *page)
{
	struct layout_meta metas[2];
	int errors[2], error = -EBADMSG;
	unsigned int newer;

	db->error[0] = '\0';
	for (unsigned int i = 0; i < 2; i++)
		errors[i] = meta_read(db, i, &metas[i]);
	newer = errors[0] ||
		(!errors[1] && metas[1].version.txnid > metas[0].version.txnid);
	if (errors[0] || errors[1])
		handle_fail(db, -EBADMSG, "page %u: it is no meta page",
			    errors[0] ? 0 : 1);
	for (unsigned int i = 0; error && i < 2; i++) {
		*page = i ? !newer : newer;
		error = errors[*page];
		if (!error)
			error = meta_verify(db, &metas[*page]);
	}
	if (!error)
		*meta = metas[*page];
	return error;
}

int meta_write(struct mmapdb *db, unsigned int page,
	       const struct layout_version *version,
	       const struct layout_listed *list, unsigned int listed,
	       uint32_t *crc)
{
	struct layout_meta meta = {
		.magic = LAYOUT_MAGIC,
		.format = LAYOUT_FORMAT,
		.listed = listed,
		.max_pages = db->max_pages,
		.version = *version,
	};

	if (getrandom(&meta.salt, sizeof(meta.salt), 0) != sizeof(meta.salt))
		return -EIO;
	memcpy(meta.id, db->id, sizeof(meta.id));
	if (listed)
		memcpy(meta.list, list, listed * sizeof(*list));
	*crc = meta.crc = meta_checksum(&meta);
	return output_write(db->fd, &meta, sizeof(meta),
			    (uint64_t)page * LAYOUT_PAGE);
}

void meta_seal(struct mmapdb *db, uint64_t txnid)
{
	struct layout_seal seal = {.magic = LAYOUT_SEAL_MAGIC, .txnid = txnid};

	memcpy(seal.id, db->id, sizeof(seal.id));
	seal.crc = crc32c(&seal, offsetof(struct layout_seal, crc));
	output_write(db->fd, &seal, sizeof(seal),
		     (uint64_t)LAYOUT_SEAL * LAYOUT_PAGE);
}

int meta_init(int fd, const uint8_t id[16], uint64_t pages, uint64_t max_pages)
{
	struct mmapdb db = {.fd = fd, .max_pages = max_pages};
	const struct layout_version empty = {.txnid = 1, .pages = pages};
	uint32_t crc;
	int error;

	memcpy(db.id, id, sizeof(db.id));
	error = output_zeros(fd, LAYOUT_PAGE,
			     (uint64_t)LAYOUT_FIRST * LAYOUT_PAGE);
	return error ? error : meta_write(&db, 0, &empty, NULL, 0, &crc);
}
