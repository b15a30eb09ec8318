$(call library,mmapdb,p14-mmapdb,alloc.c build.c check.c commit.c copy.c cursor.c \
	flush.c handle.c lock.c look.c map.c meta.c mmapdb.c newfile.c output.c \
	page.c queue.c reader.c shared.c tree.c write.c writer.c)
HEADERS += p14-mmapdb/mmapdb.h
TEST_LDFLAGS_p14/faults_test := -Wl,--wrap=pwritev,--wrap=fdatasync,--wrap=fsync,--wrap=fallocate,--wrap=linkat,--wrap=renameat
TEST_LDFLAGS_p14/steps_test := -Wl,--wrap=pwritev,--wrap=fdatasync,--wrap=fsync,--wrap=linkat,--wrap=renameat
# Faults that tests/crash must find.
TEST_LDFLAGS_crash/p14_worse_crash := -Wl,--wrap=crc32c -Wl,--wrap=page_fault \
	-Wl,--wrap=meta_write -Wl,--wrap=tree_mark
