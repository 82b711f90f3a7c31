// The one C++ file of the host: RE2 behind the C interface of regex.h.
#include "template/regex.h"

#include <map>
#include <string>

#include <re2/re2.h>

extern "C" {
#include "base/utf8.h"
}

struct tl_regex {
    re2::RE2 re;
    explicit tl_regex(const re2::StringPiece &pattern, const re2::RE2::Options &options) : re(pattern, options) {}
};

// Go's text of an RE2 error. Both parsers descend from one another; only the wording of some errors differs.
static const char *error_name(re2::RE2::ErrorCode code)
{
    switch (code) {
    case re2::RE2::ErrorBadEscape: return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass: return "invalid character class";
    case re2::RE2::ErrorBadCharRange: return "invalid character class range";
    case re2::RE2::ErrorMissingBracket: return "missing closing ]";
    case re2::RE2::ErrorMissingParen: return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen: return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize: return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8: return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture: return "invalid named capture";
    case re2::RE2::ErrorPatternTooLarge: return "expression too large";
    default: return "internal error";
    }
}

// Go reads (?<name>…) as (?P<name>…); older RE2 does not know it.
static std::string with_go_names(const char *pattern, size_t length)
{
    std::string out;
    bool in_class = false, literal = false;
    for (size_t i = 0; i < length; i++) {
        char c = pattern[i];
        out += c;
        if (c == '\\' && i + 1 < length) {
            char next = pattern[++i];
            out += next;
            if (next == 'Q') literal = true;
            if (next == 'E') literal = false;
        } else if (literal) {
            continue;
        } else if (in_class) {
            if (c == ']') in_class = false;
        } else if (c == '[') {
            in_class = true;
            if (i + 1 < length && pattern[i + 1] == '^') out += pattern[++i];
            if (i + 1 < length && pattern[i + 1] == ']') out += pattern[++i];
        } else if (c == '(' && i + 3 < length && pattern[i + 1] == '?' && pattern[i + 2] == '<' && pattern[i + 3] != '=' &&
                   pattern[i + 3] != '!') {
            out += "?P";
            i++;
        }
    }
    return out;
}

// The pattern from the first byte on that is no UTF-8, which Go shows and RE2 does not.
static std::string from_bad_byte(const char *pattern, size_t length)
{
    size_t at = 0, width = 1;
    while (at < length && (tl_utf8_decode(pattern + at, length - at, &width) != TL_UTF8_BAD || width > 1)) at += width;
    return std::string(pattern + at, length - at);
}

tl_regex *tl_regex_new(const char *pattern, size_t length, char *error, size_t error_size)
{
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(64 << 20);
    tl_regex *regex = new tl_regex(with_go_names(pattern, length), options);
    if (regex->re.ok()) return regex;
    std::string argument = regex->re.error_arg();
    switch (regex->re.error_code()) {
    case re2::RE2::ErrorTrailingBackslash: argument.clear(); break;
    case re2::RE2::ErrorMissingParen:
    case re2::RE2::ErrorUnexpectedParen: argument.assign(pattern, length); break;
    case re2::RE2::ErrorBadUTF8: argument = from_bad_byte(pattern, length); break;
    default: break;
    }
    std::string text = "error parsing regexp: " + std::string(error_name(regex->re.error_code()));
    text += regex->re.error_code() == re2::RE2::ErrorTrailingBackslash ? ": ``" : ": `" + argument + "`";
    size_t count = text.copy(error, error_size - 1);
    error[count] = 0;
    delete regex;
    return nullptr;
}

void tl_regex_free(tl_regex *regex)
{
    delete regex;
}

int tl_regex_groups(const tl_regex *regex)
{
    return regex->re.NumberOfCapturingGroups();
}

int tl_regex_match(const tl_regex *regex, const char *text, size_t length, size_t from, long *out, int count)
{
    const int few = 16;
    re2::StringPiece small[few], *groups = count < few ? small : new re2::StringPiece[count + 1];
    bool found = regex->re.Match(re2::StringPiece(text, length), from, length, re2::RE2::UNANCHORED, groups, count + 1);
    if (found) {
        for (int i = 0; i <= count; i++) {
            out[2 * i] = groups[i].data() ? groups[i].data() - text : -1;
            out[2 * i + 1] = groups[i].data() ? out[2 * i] + (long)groups[i].size() : -1;
        }
    }
    if (groups != small) delete[] groups;
    return found;
}

int tl_regex_group(const tl_regex *regex, const char *name, size_t length)
{
    const std::map<std::string, int> &names = regex->re.NamedCapturingGroups();
    std::map<std::string, int>::const_iterator found = names.find(std::string(name, length));
    return found == names.end() ? -1 : found->second;
}
