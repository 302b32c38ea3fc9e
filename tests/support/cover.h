/* cover.h: a file of the system shown to this process alone with other words in it. */
#ifndef SLUICE_TESTS_SUPPORT_COVER_H
#define SLUICE_TESTS_SUPPORT_COVER_H

/**
 * support_cover() - from now on this process reads text where a file of the system is.
 * @path: the file that is covered; it must exist.
 * @text: what it shows.
 *
 * For switches of the kernel that a test may not set, as the machine is not its own. The cover is
 * mounted in a namespace of this process, which must be single-threaded: call it in a forked
 * child. As an unprivileged user that takes a user namespace, too. What the kernel does
 * by the switch stays as it is.
 *
 * Return: 0, or -errno: the sandbox allows no namespaces or no mounts, or there is no such file.
 */
int support_cover(const char *path, const char *text);

#endif
