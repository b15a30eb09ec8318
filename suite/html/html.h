/* html.h - text into HTML that is also well-formed XML.
 *
 * Everything a page shows may come from a file of somebody else's: nothing is
 * written into markup but through html_text().
 */
#ifndef UNIXIPC_SUITE_HTML_HTML_H
#define UNIXIPC_SUITE_HTML_HTML_H

#include <stdio.h>

/* Write text so that it means itself, between tags and in a quoted attribute
 * alike: & < > " ' become entities, control characters and bytes that are no
 * UTF-8 become U+FFFD. */
void html_text(FILE *to, const char *text);

/* printf whose result goes through html_text(); cut at 1 KB. */
void html_printf(FILE *to, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
