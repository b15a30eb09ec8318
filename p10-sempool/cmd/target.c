#include "p10-sempool/cmd/target.h"

#include <errno.h>

#include "lib/cmd/die.h"
#include "lib/objname.h"

void target_check(const char *name)
{
	if (objname_check(name))
		die_usage("--name=%s: accepted is a slash and up to 250 bytes "
			  "without one",
			  name);
}

void target_die(const char *name, int error)
{
	switch (error) {
	case -ENOENT:
		die("no pool '%s': start pool_manager", name);
	case -ETIMEDOUT:
		die("pool '%s' was never finished: start pool_manager", name);
	case -EBADMSG:
	case -EEXIST:
		die("'%s' is the name of something else", name);
	case -ENOTSUP:
		die("pool '%s' is of another version", name);
	case -EXDEV:
		die("pool '%s' is of another PID or time namespace: use it "
		    "there",
		    name);
	case -EACCES:
		die("pool '%s' is of another user", name);
	case -ENOSYS:
		die("pool '%s': /proc is needed, and does not show this "
		    "process",
		    name);
	default:
		die_errno(error, "cannot open pool '%s'", name);
	}
}
