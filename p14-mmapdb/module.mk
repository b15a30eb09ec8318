$(call library,mmapdb,p14-mmapdb,alloc.c build.c check.c commit.c copy.c cursor.c \
	flush.c handle.c lock.c look.c map.c meta.c mmapdb.c newfile.c output.c \
	page.c queue.c reader.c shared.c tree.c write.c writer.c)
HEADERS += p14-mmapdb/mmapdb.h
TEST_LDFLAGS_p14/faults_test := -Wl,--wrap=pwritev,--wrap=fdatasync,--wrap=fsync,--wrap=fallocate,--wrap=linkat,--wrap=renameat
TEST_LDFLAGS_p14/steps_test := -Wl,--wrap=pwritev,--wrap=fdatasync,--wrap=fsync,--wrap=linkat,--wrap=renameat
