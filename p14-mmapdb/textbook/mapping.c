/* mapping.c - MAP_PRIVATE beside MAP_SHARED, and a mapping beyond its file.
 *
 *	gcc mapping.c -o mapping
 *	echo original > note; ./mapping private note
 *	./mapping shared note
 *	./mapping beyond note
 *
 * The first two store into a mapping of a file, and then read the file. The
 * third maps two pages of a file that has one, and reads the second (UNP2 12.6).
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char in_file[9] = "";
	int fd, flags;
	char *map;

	if (argc != 3)
		errx(2, "private FILE | shared FILE | beyond FILE");
	flags = strcmp(argv[1], "private") ? MAP_SHARED : MAP_PRIVATE;
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "cannot open %s", argv[2]);
	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (map == MAP_FAILED)
		err(1, "cannot map %s", argv[2]);
	if (!strcmp(argv[1], "beyond"))
		return map[page]; /* there is no such page: SIGBUS */
	snprintf(map, page, "changed!");
	if (pread(fd, in_file, 8, 0) < 0)
		err(1, "cannot read %s", argv[2]);
	printf("in memory: %s, in the file: %s\n", map, in_file);
	return 0;
}
