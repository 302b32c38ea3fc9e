/* oracle_none.c - built where there is no liburing: nobody to ask. */
#include "tests/contract/oracle.h"

#include <errno.h>

const char *oracle_missing(void)
{
	return "built without liburing (package liburing-dev)";
}

int64_t oracle_do(const struct sl_op *op)
{
	(void)op;
	return -ENOSYS;
}

void oracle_end(void)
{
}
