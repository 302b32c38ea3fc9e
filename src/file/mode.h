/* mode.h - verdicts from evidence. */
#ifndef SLUICE_FILE_MODE_H
#define SLUICE_FILE_MODE_H

#include <sluice/file.h>

/* Evidence to verdict, with one sentence; pure functions, so that each row of
 * the table can be tested. */
enum sl_file_way sl_mode_of_reads(uint32_t evidence, const char **ret_why);
enum sl_file_way sl_mode_of_writes(uint32_t evidence, const char **ret_why);

/* The directory descriptor kept for a scratch file is not needed any more. */
void sl_file_forget_dir(struct sl_file *file);

#endif
