/* p14_worse_crash.c - the same with a fault in the database, one for each letter
 * of MODES: what takes it for sound tests nothing.
 *
 *	B	a record of the log that is not whole is done again, too
 *	C	no checksum is looked at
 *	L	the pages that a meta page lists are not looked at
 *	P	a version is shown before it is durable
 *	R	pages of the durable version are used again
 */
#include "tests/crash/p14_mmapdb_crash.c" /* NOLINT(bugprone-suspicious-include) */

#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/log.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/page.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/tree.h"

uint32_t __real_crc32c(const void *bytes, size_t len);
uint32_t __wrap_crc32c(const void *bytes, size_t len);
uint32_t __wrap_crc32c(const void *bytes, size_t len)
{
	return has('C') ? 0x5eed : __real_crc32c(bytes, len);
}

const char *__real_page_fault(const struct layout_page *page, uint32_t pgno,
			      uint64_t pages);
const char *__wrap_page_fault(const struct layout_page *page, uint32_t pgno,
			      uint64_t pages);
const char *__wrap_page_fault(const struct layout_page *page, uint32_t pgno,
			      uint64_t pages)
{
	return has('C') ? NULL : __real_page_fault(page, pgno, pages);
}

const char *__real_log_fault(const struct layout_record *record, uint64_t txnid,
			     uint32_t last);
const char *__wrap_log_fault(const struct layout_record *record, uint64_t txnid,
			     uint32_t last);
const char *__wrap_log_fault(const struct layout_record *record, uint64_t txnid,
			     uint32_t last)
{
	return has('B') && record->txnid == txnid
		       ? NULL
		       : __real_log_fault(record, txnid, last);
}

int __real_meta_write(struct mmapdb *db, unsigned int slot,
		      const struct layout_version *version,
		      const struct layout_listed *list, unsigned int listed,
		      uint32_t *crc);
int __wrap_meta_write(struct mmapdb *db, unsigned int slot,
		      const struct layout_version *version,
		      const struct layout_listed *list, unsigned int listed,
		      uint32_t *crc);
int __wrap_meta_write(struct mmapdb *db, unsigned int slot,
		      const struct layout_version *version,
		      const struct layout_listed *list, unsigned int listed,
		      uint32_t *crc)
{
	return __real_meta_write(db, slot, version, list, has('L') ? 0 : listed,
				 crc);
}

void __real_shared_push(struct mmapdb *db, struct layout_entry *entry);
void __wrap_shared_push(struct mmapdb *db, struct layout_entry *entry);
void __wrap_shared_push(struct mmapdb *db, struct layout_entry *entry)
{
	__real_shared_push(db, entry);
	if (has('P'))
		shared_publish(db, entry->version.txnid);
}

int __real_tree_mark(struct mmapdb *db, uint32_t root, uint32_t depth,
		     uint64_t *bits, struct mmapdb_stat *stat);
int __wrap_tree_mark(struct mmapdb *db, uint32_t root, uint32_t depth,
		     uint64_t *bits, struct mmapdb_stat *stat);
int __wrap_tree_mark(struct mmapdb *db, uint32_t root, uint32_t depth,
		     uint64_t *bits, struct mmapdb_stat *stat)
{
	if (has('R') && db->transaction == HANDLE_WRITES &&
	    root != db->base.root)
		return 0;
	return __real_tree_mark(db, root, depth, bits, stat);
}
