/* page.c: pieces of a self-contained HTML page; see page.h. */
#include "tools/crash/page.h"

#include <stdint.h>

/* Text keeps a contrast of 4.5:1 in light and in dark. */
static const char style[] =
	":root{--bg:#fff;--fg:#1b1f24;--dim:#59636e;--rule:#d8dee4;--soft:#f6f8fa;--good:#1a7f37;"
	"--bad:#cf222e;--sync:#0969da;--ack:#8250df;color-scheme:light dark}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;"
	"--rule:#30363d;--soft:#161b22;--good:#3fb950;--bad:#ff7b72;--sync:#58a6ff;"
	"--ack:#bc8cff}}\n"
	"body{margin:0 auto;max-width:66rem;padding:1.5rem;background:var(--bg);color:var(--fg);"
	"font:16px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.6rem;margin:0}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}"
	"h3{font-size:1.05rem;margin:0}.dim{color:var(--dim)}.good{color:var(--good)}"
	".bad{color:var(--bad)}a{color:var(--sync)}code,pre{font:13px/1.45 ui-monospace,monospace}"
	"pre{margin:.2rem 0;white-space:pre-wrap;overflow-wrap:anywhere}\n"
	".verdict{font-size:1.25rem;font-weight:600;margin:1rem 0 .3rem}"
	".box{border:1px solid var(--rule);border-left:4px solid var(--bad);border-radius:6px;"
	"background:var(--soft);padding:.8rem 1rem;margin:1rem 0}\n"
	"dl{display:grid;grid-template-columns:9rem 1fr;gap:.25rem 1rem;margin:.6rem 0 0}"
	"dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}ul{margin:0;padding-left:1.1rem}\n"
	"ol.time{list-style:none;margin:.8rem 0;padding:0;border-left:2px solid var(--rule)}"
	".time li{position:relative;padding:.1rem 0 .1rem 1.4rem;font:13px/1.45 "
	"ui-monospace,monospace;overflow-wrap:anywhere}"
	".time li::before{content:'';position:absolute;left:-6px;top:.5em;width:10px;height:10px;"
	"border-radius:50%;background:var(--rule)}"
	".time .sync::before{background:var(--sync)}.time .ack::before{background:var(--ack)}"
	".time .sync{color:var(--sync)}.time .ack{color:var(--ack);font-weight:600}"
	".time .lost::before{background:var(--bad)}.time .lost b{color:var(--bad)}"
	".time .cut{color:var(--bad);font-weight:600;border-top:2px dashed var(--bad)}"
	".time .cut::before{content:'\\26a1';background:none;left:-9px;top:0}"
	".time .gap{color:var(--dim)}.time .gap::before{display:none}\n"
	"table{border-collapse:collapse;width:100%;font-size:.875rem}th,td{padding:.25rem .6rem;"
	"border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}"
	"th{font-weight:600;color:var(--dim)}details{margin:.5rem 0}summary{cursor:pointer}\n"
	"@media(max-width:40rem){dl{grid-template-columns:1fr}}\n";

void page_begin(FILE *out, const char *title)
{
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>",
	      out);
	page_text(out, title);
	fprintf(out, "</title><style>\n%s</style></head><body>\n", style);
}

void page_end(FILE *out)
{
	fputs("</body></html>\n", out);
}

/* How many bytes of text are one well-formed character; 0: they are none. */
static int character(const unsigned char *text)
{
	int len = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;

	if ((text[0] < 0x20 && text[0] != '\n' && text[0] != '\t') || text[0] == 0x7f ||
	    (text[0] >= 0x80 && text[0] < 0xc2) || text[0] > 0xf4)
		return 0;
	for (int i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

void page_text(FILE *out, const char *text)
{
	while (*text) {
		int len = character((const unsigned char *)text);

		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if (len)
			fwrite(text, 1, (size_t)len, out);
		else
			fputs("\xef\xbf\xbd", out);
		text += len ? len : 1;
	}
}

void page_element(FILE *out, const char *tag, const char *class, const char *text)
{
	fprintf(out, "<%s%s%s%s>", tag, class ? " class=\"" : "", class ? class : "",
		class ? "\"" : "");
	page_text(out, text);
	fprintf(out, "</%s>", tag);
}
