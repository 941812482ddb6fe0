/*
 * leave.c - preloaded behind AddressSanitizer into slapd: ends the process once leaks are counted.
 * In: exit().  Out: exit code 23 if there are leaks, else 0, without the destructors of libraries:
 * one of them waits for ever under AddressSanitizer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void leave(void)
{
	int leaks = __lsan_do_recoverable_leak_check ? __lsan_do_recoverable_leak_check() : 0;

	fflush(NULL);
	_exit(leaks ? 23 : 0);
}

__attribute__((constructor)) static void prepare(void)
{
	atexit(leave);
}
