/* Functions of the user's own, of names that parts of the library have inside.
 * The library never calls them. */
#include <stdlib.h>

int die(void);
int client_open(void);
int set_try(void);
int lines_open(void);
int crew_reap(void);

int die(void)
{
	abort();
}

int client_open(void)
{
	abort();
}

int set_try(void)
{
	abort();
}

int lines_open(void)
{
	abort();
}

int crew_reap(void)
{
	abort();
}
