#!/usr/bin/env python3
"""Writes the templates of the golden files, one a line: cases.py GROUP | judge. The order is fixed by a seed.
Random ones beyond those: cases.py random SEED COUNT."""
import itertools
import os
import random
import re
import sys

ANY = ['nil', '""', '"abc"', '"héllo ✓"', '0', '1', '-7', '3.75', '1e100', '-0.5', 'true', 'false', '(list)',
       '(list 1 "a" nil 2.5)', '(dict)', '(dict "a" 1 "b" (list 2))', '.Values.f', '.Values.big', '.Values.none',
       '.Values.nul', '.Values.m', '.Values.l', '.Values.mixed', '.Values.em', '.Values.el', '(int64 5)', '"0x1F"',
       '"010"', '"1.50"', '"12abc"', '(until 3)', '(splitList "," "b,a,c")', '(split "," "x,y")', '9223372036854775807',
       '.Values.multi', '(semver "1.2.3-beta.1+x")', '.Values.million', '(printf "%d" 7)', '.Release', '(len "abc")']
STR = ['""', '"abc"', '"Hello World"', '"héllo wörld ✓"', '" padded\\t\\n"', '"a,b,,c"', '"$x$"', '"foo_bar-Baz9qux"',
       '"HTTPStatusCode200OK"', '.Values.multi', '.Values.quoted', '"a\\\\b"', '"x\\x00y"', '"日本語テキスト"', '"ABC abc 123"',
       '.Values.s', '"\\xff\\xfe"', '"ß İ ı Ωσ"', '"1.2.3"', '"/a/b/../c.tar.gz"', '"a\'b<c>&d"', '.Values.f', 'nil',
       '(list "a")', '"the quick brown fox jumps over the lazy dog"', '"🙂 smile"']
INT = ['0', '1', '2', '3', '5', '10', '-1', '-3', '100', '.Values.int', '(int .Values.int)', '"3"', '2.0', '2.5', 'nil', '7']
NUM = ['0', '1', '-1', '7', '3', '2.5', '-2.5', '0.1', '1e21', '"42"', '"3.9"', '"x"', 'nil', 'true', '.Values.f',
       '.Values.big', '9223372036854775807', '-9223372036854775808', '.Values.small', '(list 1)', '1e-7', '"0b101"',
       '123456789.987654321', '.Values.huge', '.Values.neg', "'a'"]
LIST = ['(list)', '(list 1 2 3)', '(list "b" "a" "c")', '(list nil "" 0 "x" false)', '(list 1 1.0 "1" 1)', '.Values.l',
        '.Values.mixed', '.Values.el', '(until 4)', '(splitList "," "b,a,b")', 'nil', '"str"', '5', '(dict "a" 1)',
        '.Values.none', '(list (dict "a" 1) (dict "a" 1) (list 1) (list 1))']
DICT = ['(dict)', '(dict "a" 1 "b" "two")', '.Values.m', '.Values.em', '(dict "a" (dict "x" 1) "b" (list 1))', '.Values',
        'nil', '.Values.none', '"str"', '(list 1)', '(dict "a" "" "b" nil "c" false)', '(split "," "x,y")',
        '(dict "a" (dict "y" 2 "x" 9) "b" (list 2) "d" 0)']
KEY = ['"a"', '"b"', '"none"', '""', '1', '"c"']
REGEX = ['"a"', '"[a-z]+"', '"(\\\\w)(\\\\w*)"', '"x*"', '"^"', '"$"', '"(?i)HELLO"', '"(?P<first>l)(l)?"', '"["', '"a**"', '""',
         '"\\\\d+"', '"(a|b)*c"', '"."', '"(?m)^l"', '"ö"', '"(?<n>o)"', '"\\\\p{L}+"', '"a{2,1}"', '")"', '"\\\\"']
REPL = ['""', '"X"', '"$1"', '"${1}W"', '"$1W"', '"$first"', '"$$"', '"<$0>"', '"${first}${2}"', '"$"', '"${"', '"${x"']
# RE2 does not match bytes that are no UTF-8 as Go's regexp does.
PATTERNS = {'t': [t for t in STR if 'xff' not in t], 'e': [d for d in DICT if d not in ('nil', '.Values.none')], 'a': ANY, 's': STR, 'i': INT, 'n': NUM, 'l': LIST, 'd': DICT, 'k': KEY, 'r': REGEX, 'p': REPL}


def cases(functions, each, suffix=''):
    rng = random.Random(7)
    for line in functions.split():
        name, _, params = line.partition(':')
        pools = [PATTERNS[p] for p in params]
        total = 1
        for pool in pools:
            total *= len(pool)
        if total <= each:
            chosen = list(itertools.product(*pools))
        else:
            chosen = [tuple(rng.choice(pool) for pool in pools) for _ in range(each)]
        for i, args in enumerate(dict.fromkeys(chosen)):
            if args and i % 5 == 4:
                yield '{{ ' + ' '.join([args[-1], '|', name, *args[:-1]]) + suffix + ' }}'
            else:
                yield '{{ ' + ' '.join([name, *args]) + suffix + ' }}'


VERBS = ['%v', '%+v', '%#v', '%d', '%5d', '%-5d|', '%05d', '%+d', '%x', '%X', '%#x', '%o', '%O', '%b', '%c', '%q', '%U', '%#U',
         '%e', '%E', '%f', '%.2f', '%8.3f', '%-8.3f|', '%08.3f', '%g', '%G', '%+.1e', '%s', '%10s', '%-10s|', '%.2s', '%t',
         '%T', '%5t', '% x', '%#q', '%+q', '%x', '%6.2v', '%!', '%z', '%', '%[1]d %[1]v', '%[2]d', '%*d', '%.*f', '% d',
         '%#g', '%#.3g', '%10q', '%03s', '%-05d', '%[1]*d', '%v %v', '%w', '%#o', '%#b', '%+#v', '%.0f', '%.10g', '%5%']
PRINTED = ['42', '-42', '3.75', '"abc"', '"é✓"', 'true', 'nil', '(list 1 "a" nil)', '(dict "a" 1 "b" "x")', '.Values.big',
           '(int64 7)', '1e100', '"x\\ty"', '(until 3)', '0', '.Values.m', '(splitList "," "a,b")', "'x'", '""', '2.5e-10']


def printf_cases():
    rng = random.Random(3)
    for verb in VERBS:
        for value in rng.sample(PRINTED, 9):
            yield '{{ printf "%s" %s }}' % (verb.replace('\\', '\\\\'), value)
    for tail in ['', ' 1', ' 1 2', ' nil "a"', ' 5 3.14159']:
        for verb in ['%d', '%v', 'no verbs', '%*d', '%.*f', '%[3]d', '%[x]d', '%[1]', '%-*d|', '%d %d']:
            yield '{{ printf "%s"%s }}' % (verb, tail)
    for a in PRINTED:
        for name in ['print', 'println', 'html', 'js', 'urlquery']:
            yield '{{ %s %s "s" 1 %s }}' % (name, a, rng.choice(PRINTED))
            yield '{{ %s %s }}' % (name, a)
        yield '{{ %s }}' % a
        yield '[{{ %s | quote }}]' % a


# Complex numbers, which literals alone make.
COMPLEX = ['1i', '0i', '-0i', '1+2i', '-1.5-2e3i', '3+0i', '0.5-0i', '0x1p4+0x10p-2i', '1e400i', '1e400+1i', '1+1e400i', '1_0i',
           '1_0+2i', '0x1_0p0+1i', '0b1i', '0b1+1i', '0o7+1i', '0x1i', '0x1+1i', '07i', '08+1i', '1i+2i', '1+2', '+1i', '.5i', '5.i',
           '1ei', '+.+1i', '1+i', '1ia', '1+2ia', '1+2i.x', '1i.x', 'i', '1-2-3i', '1 + 2i', "'a'i", '99999999999999999999i']
COMPLEX_USES = ['{{ N }}', '{{ $x := N }}{{ $x }}{{ if $x }}true{{ end }}',
                '{{ printf "%T %v %5.1f|%+g %x %e|%#v %08.2f" N N N N N N N N }}']
COMPLEX_CASES = r"""
{{ printf "%s %d %q %t %c %p %U %b %G %F" 1i 1i 1i 1i 1i 1i 1i 1i 1i 1i }}
{{ eq 1i 1i }}{{ eq 1i 0+1i }}{{ ne 1i 2i }}{{ eq 1i 2i 1i }}
{{ eq 1i 1 }}
{{ eq 1i nil }}{{ eq nil 1i }}
{{ eq 1i (list) }}
{{ eq 0i -0i }}
{{ lt 1i 2i }}
{{ lt 1 2i }}
{{ le 2i 2i }}
{{ ge 2i 2i }}
{{ gt 2i 2i }}
{{ len 1i }}
{{ index 1i 0 }}
{{ index (list 1 2) 1i }}
{{ index (list 1 2) 1+0i }}
{{ index (dict "a" 1) 1i }}
{{ slice (list 1 2) 1i }}
{{ slice "abc" 1+0i }}
{{ range 1i }}{{ end }}
{{ range 2+0i }}x{{ end }}
{{ with 1i }}{{ . }}{{ .x }}{{ end }}
{{ not 1i }}{{ not 0i }}{{ and 1i 2 }}{{ or 0i 3i }}
{{ kindOf 1i }} {{ typeOf 1i }} {{ kindIs "complex128" 1i }} {{ typeIs "complex128" 1i }} {{ typeIsLike "complex128" 1i }}
{{ quote 1i }} {{ squote 1+2i }} {{ toString 1i }} {{ html 1i }} {{ js 1i }} {{ urlquery 1+2i }} {{ print 1i 2i "a" 3i }} {{ println 1i }}
{{ int 1i }} {{ int64 3+0i }} {{ float64 1i }} {{ float64 3+0i }} {{ toDecimal 1i }} {{ atoi "1i" }}
{{ add 1 2+0i }} {{ add 1 2i }} {{ mul 2+0i 3 }} {{ addf 1 2+0i }} {{ max 1 2+0i }} {{ floor 1.5+0i }} {{ round 1i 2 }}
{{ empty 1i }} {{ empty 0i }} {{ default 1 0i }} {{ default 1 2i }} {{ coalesce 0i 2i }} {{ ternary 1 2 1i }}
{{ toJson 1i }}|{{ toYaml 1i }}|{{ toPrettyJson (list 1i) }}|{{ toYaml (dict "a" 1i) }}
{{ toRawJson 1i }}
{{ mustToJson (list 1i) }}
{{ mustToPrettyJson 1i }}
{{ mustToRawJson (dict "a" 1i) }}
{{ mustToYaml 1i }}
{{ toYamlPretty (dict "a" 1i) }}
{{ toToml (dict "a" 1i) }}
{{ toToml (dict "a" (list 1i)) }}
{{ list 1i 2 }} {{ dict "a" 1i }} {{ printf "%d" (list 1i) }} {{ printf "%#v" (dict "a" 1i) }}
{{ deepEqual 1i 1i }}{{ deepEqual (list 1i) (list 2i) }}{{ has 1i (list 1i) }}{{ uniq (list 1i 1i) }}{{ without (list 1i 2) 1i }}
{{ deepCopy 1i }} {{ deepCopy (dict "a" 1i) }}
{{ repeat 1+0i "a" }}
{{ repeat 2i "a" }}
{{ trunc 1i "a" }}
{{ until 3+0i }} {{ seq 1+0i 3 }}
{{ until 1i }}
{{ upper 1i }}
{{ first 1i }}
{{ join "," 1i }} {{ join "," (list 1i 2) }} {{ sortAlpha (list 2i 1i) }} {{ toStrings (list 1i) }} {{ cat 1i "a" }}
{{ fail (print 1i) }}
{{ 1i | quote }} {{ 1+0i | int }} {{ 3+0i | until }}
{{ dict 1i 2 }}
{{ call 1i }}
{{ 1i 2 }}
{{ 1i | 2 }}
{{ (1i).x }}
{{ template "c.name" 1i }}{{ include "c.name" 1i }}
{{ $x := 1i }}{{ $x = 2i }}{{ $x }}
{{ set (dict) "a" 1i }} {{ get (dict "a" 1i) "a" }} {{ pluck "a" (dict "a" 1i) }} {{ dig "a" 1i (dict) }} {{ toStrings 1i }}
{{ derivePassword 1+0i "long" "p" "u" "s" }}
{{ date "2006" 1i | len }} {{ ago 1i | len }} {{ duration 1i }} {{ durationRound 1i }} {{ unixEpoch (toDate "2006" "2020") }}
{{ merge (dict "a" 1i) (dict "a" 2 "b" 3i) }} {{ mergeOverwrite (dict "a" 1i) (dict "a" 0i) }} {{ values (dict "a" 1i) }} {{ ternary 1i 2i true }}
{{ b64enc 1i }}
{{ required "m" 0i }} {{ tpl "{{ . }}" 1i }} {{ biggest 1+0i 2 }} {{ all 1i 0i }} {{ any 0i 1i }} {{ compact (list 0i 1i) }}
{{ float64 .5i }} {{ int 1e400 }}
""".strip().split('\n')


def complex_cases():
    for number in COMPLEX:
        for use in COMPLEX_USES:
            yield use.replace('N', number)
    yield from COMPLEX_CASES


COMPARED = ['1', '2', '1.0', '"1"', '"a"', '"b"', 'true', 'false', 'nil', '(int64 1)', '(list 1)', '(dict)', '.Values.int',
            '.Values.none', '.Values.f', '.Values.m', '""', '(index "abc" 0)', '.Values.s', '(semver "1.0.0")']


def builtin_cases():
    rng = random.Random(5)
    for name in ['eq', 'ne', 'lt', 'le', 'gt', 'ge']:
        for _ in range(40):
            yield '{{ %s %s %s }}' % (name, rng.choice(COMPARED), rng.choice(COMPARED))
        yield '{{ %s 1 }}' % name
        yield '{{ %s 1 2 1 }}' % name
        yield '{{ %s "a" "b" "c" "a" }}' % name
    for name in ['and', 'or', 'not', 'len', 'empty']:
        for a in ANY:
            yield '{{ %s %s }}' % (name, a)
    for name in ['and', 'or']:
        for _ in range(20):
            yield '{{ %s %s %s }}' % (name, rng.choice(ANY), rng.choice(ANY))
        yield '{{ %s true (fail "evaluated") }}' % name
        yield '{{ %s false (fail "evaluated") }}' % name
        yield '{{ 1 | %s 0 }}' % name
    for c in ['.Values.l', '.Values.m', '(until 3)', '"abc"', 'nil', '.Values.none', '5', '(list)', '.Values.mixed',
              '(split "," "x,y")', '.Values', '.Release']:
        for i in ['0', '2', '3', '-1', '"a"', '"none"', 'nil', '1.0', '"c" "d" "e"', '6 0', '"_1"', '"x" "y"', '5 "k"']:
            yield '{{ index %s %s }}' % (c, i)
    for c in ['"abcdef"', '.Values.l', '(list 1 2 3 4)', 'nil', '5', '(dict)', '(list)']:
        for i in ['', '1', '1 2', '2 1', '0 9', '-1', '"1"', '1 2 3', 'nil']:
            yield '{{ slice %s %s }}' % (c, i)


def go_string(text):
    return '"%s"' % text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n').replace('\r', '\\r')


TOML_VALUES = [
    '(dict "b" 1 "a" (dict "y" (dict "z" 1.0) "x" "s") "c" (list (dict "k" 1 "l" (list 1 2)) (dict)))',
    '(dict "t" (list (dict "u" (list (dict "v" 1) (dict "v" 2)) "w" true)))', '(dict "k e y" (dict "" 1 "a.b" 2))',
    '(dict "a" (list (list 1 2) (list "x")))', '(dict "a" (list 1 (dict "b" (dict "c" (list 1))) (dict)))',
    '(dict "a" (list 1 nil))', '(dict "a" (list (dict "b" (list nil))))', '(dict "a" nil "b" (dict "c" nil))',
    '(dict "s" "q\\"\\\\ \\t\\n\\r\\f\\b\\x01\\x7f é ✓ 🙂")', '(list (dict "a" 1))',
    '(dict "f" 1e21 "g" 0.1 "h" 100000.0 "i" 1e-7)', '(dict "a" (list (dict "b" nil "c" 1) 2))',
    '(dict "a" (list 2 (dict "b" 1 "c" (dict "d" nil) "e" (dict "f" 2))))',
    '(dict "d" (toDate "2006-01-02" "2024-02-03"))', '(dict "a" (dict))', '(dict "a" (list (dict)))', '.Values']
TOML_TEXTS = [
    '', 'a = 1', 'a = 1\nb = "x"\n[t]\nc = 1.5\n[t.u]\nd = true\n', '[[l]]\na = 1\n[[l]]\na = 2\n[l.m]\nb = 3\n',
    'a.b.c = 1\na.d = 2', 'a = [1, 2,\n # c\n "x", [true]]', 'a = {b = 1, c = {d = "e"}, f.g = 2}',
    "a = 'raw\\n'\nb = '''\nx\ny'''", 'a = """\nx \\\n   y\\tz\n"""', 'a = "\\u00e9\\U0001F642\\e\\x41"',
    'a = 0x1F\nb = 0o17\nc = 0b11\nd = 1_000\ne = -5\nf = +7', 'a = 1.5\nb = -0.1e3\nc = 1e6\ng = 3.0',
    '"a b" = 1\n\'c\' = 2\n"" = 3', '# only\n\n  # comments', 'a = 1 # c\r\nb = 2\r\n', 'a = true\nb = false', 'a', 'a =',
    'a = \n', '= 1', '.a = 1', 'a. = 1', 'a..b = 1', 'a b = 1', 'a = x', 'a = 1 2', 'a = 1\na = 2', '[a]\n[a]', 'a = 1\n[a]',
    'a = 1\na.b = 2', '[a]\nb = 1\n[a.b]', '[[a]]\n[a]', '[a]\n[[a]]', '[a.b]\n[a]\nc = 1', '[a', '[]', '[a.]', '[.a]', '[[a]',
    '[[a]x', '[a]x', '[a b]', 'a = "x', "a = 'x", 'a = "x\ny"', 'a = """x', "a = '''x", 'a = "\\q"', 'a = "\\u12"',
    'a = "\\ud800"', 'a = 01', 'a = 1__0', 'a = 1_', 'a = 1.', 'a = 1.x', 'a = .5', 'a = +.5', 'a = +x', 'a = -', 'a = +0x1',
    'a = 9223372036854775808', 'a = 1e999', 'a = [1', 'a = [1 2]', 'a = [,]', 'a = [1,,2]', 'a = {', 'a = {b = 1', 'a = {b}',
    'a = {b = 1 c = 2}', 'a = {,}', 'a = {b = 1, b = 2}', 'a = {b = 1, }', 'a = tru', 'a = True', 'a = @', '@ = 1',
    'a = 1\n\n\nb = @', '[t]\nx.y = @', '[[t]]\nx = {y = @}', 'a = [1, @]',
    'a = "1"\n[b]\nc = "2"\n[b.d]\ne = [ ]\nf = { }', 'a = "' + 'x' * 300 + '"', 'a = 1979-05-27T07:32:00Z', 'a = 1979-13-27',
    'a = {b.c = 1, b.d = 2}', 'a.b = 1\n[a]\nc = 2', 'fruit.apple.smooth = true\n[fruit.apple.taste]\nsweet = 1',
    'b = [[1, 2], ["a"], [[]]]', 'a="x"\\', 'a = """"""', "a = ''''''", 'a = """a""b"""', 'a = """ab"""""',
    'x = 1\n[y]\nx = 1\n[z.y.x]\n', '[[a.b]]\nc = 1\n[[a.b]]\nd = 2\n[a.e]\nf = 3', 'a = inf', 'a = nan', 'a = 1979-05-27']


LANGUAGE = r'''
{{ $x := 1 }}{{ $x := add $x 1 }}{{ $x }}
{{ $m := list }}{{ $m := append $m "a" }}{{ $m := without $m "b" }}{{ $m }}
{{ $x := $x }}
{{ $x := add $x 1 }}
{{ $x := (add $x 1) }}
{{ $x := 1 }}{{ $x := ($x) }}{{ $x }}
{{ $x := 1 }}{{ if $x := add $x 1 }}{{ $x }}{{ end }}{{ $x }}
{{ $x := dict "a" 2 }}{{ with $x := $x.a }}{{ $x }}{{ $x := add $x . }}{{ $x }}{{ end }}{{ $x }}
{{ $x := list 1 2 }}{{ range $i, $x := $x }}{{ $i }}{{ $x }}{{ $x := add $x 10 }}{{ $x }}{{ end }}{{ $x }}
{{ range $i, $i := list 1 2 }}{{ $i }}{{ end }}
{{ range $x := list $x }}{{ $x }}{{ end }}
{{ $x := 1 }}{{ $x = ($x := 5) }}{{ $x }}
{{ $x := 1 }}{{ $y := ($x := 5) }}{{ $x }}{{ $y }}
{{ $x := 1 }}{{ $x := (list ($x := add $x 2) $x) }}{{ $x }}
{{ $x := ($y := $x) }}{{ $y }}
{{ define "v" }}{{ $x := $x }}{{ end }}{{ template "v" 1 }}
{{ $ := 3 }}{{ $ }}{{ $ := add $ 1 }}{{ $ }}
{{ .Values.s }}
{{- .Values.s -}}
a {{- 1 }} b {{ 2 -}} c
{{/* note */}}x{{- /* trimmed */ -}} y
{{ .Values.none }}|{{ .Values.nul }}|{{ .None }}
{{ .Values.none.x }}
{{ .Values.nul.x }}
{{ .Values.s.x }}
{{ .Values.int.x }}
{{ .Values.m.c.d.e }}{{ .Values.m.c.x }}
{{ .Values.m.c.x.y.z }}
{{ $x := .Values.none }}{{ $x }}|{{ $x.y }}
{{ $x := .Values.s }}{{ $x.y }}
{{ (.Values.none).x }}
{{ (dict "a" 1).a }}{{ (dict "a" 1).b }}
{{ (dict "a" 1).b.c }}
{{ "x".y }}
{{ nil }}
{{ nil.x }}
{{ . | len }}{{ .Values.l | len }}
{{ if .Values.t }}a{{ else }}b{{ end }}{{ if .Values.fa }}a{{ else if .Values.zero }}b{{ else if 1 }}c{{ end }}
{{ with .Values.m }}{{ .a }}{{ else }}no{{ end }}{{ with .Values.none }}x{{ else with .Values.l }}{{ . }}{{ end }}
{{ with $y := .Values.int }}{{ $y }}{{ . }}{{ end }}
{{ range .Values.l }}{{ . }},{{ end }}
{{ range $i, $e := .Values.l }}{{ $i }}{{ $e }},{{ end }}
{{ range $e := .Values.l }}{{ $e }},{{ end }}
{{ range $k, $v := .Values.m }}{{ $k }}={{ $v }};{{ end }}
{{ range .Values.none }}x{{ else }}none{{ end }}{{ range .Values.el }}x{{ else }}none{{ end }}
{{ range 3 }}{{ . }}{{ end }}{{ range 0 }}x{{ else }}zero{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}
{{ range $i, $j := 3 }}{{ end }}
{{ range .Values.int }}{{ . }}{{ break }}{{ end }}
{{ range "abc" }}{{ . }}{{ end }}
{{ range true }}{{ end }}
{{ range .Values.l }}{{ if eq . "a" }}{{ continue }}{{ end }}{{ . }}{{ end }}
{{ range .Values.l }}{{ if eq . "a" }}{{ break }}{{ end }}{{ . }}{{ end }}
{{ range .Values.mixed }}{{ .k }}{{ end }}
{{ $x := 1 }}{{ range .Values.l }}{{ $x = add $x 1 }}{{ end }}{{ $x }}
{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}
{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}
{{ $i := "" }}{{ $e := "" }}{{ range $i, $e = .Values.l }}{{ end }}{{ $i }}{{ $e }}
{{ $x = 1 }}
{{ $x }}
{{ define "a" }}A{{ . }}{{ end }}{{ template "a" 1 }}{{ template "a" }}{{ template "a" .Values.none }}
{{ define "a" }}1{{ end }}{{ define "a" }}2{{ end }}
{{ block "b" .Values.s }}[{{ . }}]{{ end }}
{{ template "nope" . }}
{{ include "nope" . }}
{{ include "name" . }}|{{ include "name" . | upper | quote }}
{{ include "echo" .Values.none }}{{ include "echo" nil }}{{ include "echo" "x" }}
{{ include "deep" . }}
{{ include "warns" . }}
{{ include "vals" .Values.m }}
{{ template "deep" . }}
{{ tpl .Values.tpl . }}|{{ tpl "{{ .Values.s }}" . }}|{{ tpl "plain" . }}|{{ tpl "" . }}
{{ tpl "{{ include \"name\" . }}{{ define \"q\" }}Q{{ end }}{{ include \"q\" . }}" . }}
{{ tpl "{{ define \"q\" }}Q{{ end }}" . }}{{ include "q" . }}
{{ tpl "{{ .Values.none }}|{{ .x }}" . }}
{{ tpl "{{ .Values.none.x }}" . }}
{{ tpl "{{ nope }}" . }}
{{ tpl "{{ if }}" . }}
{{ tpl "{{ fail \"inner\" }}" . }}
{{ tpl "{{ tpl \"{{ .a }}\" . }}" (dict "a" 5) }}
{{ required "need it" .Values.none }}
{{ required "need it" "" }}
{{ required "need it" 0 }}{{ required "need it" .Values.s }}
{{ .Values.none | required "a: b" }}
{{ fail "my: message" }}
{{ fail }}
{{ fail 1 }}
{{ upper 1 }}
{{ upper .Values.int }}
{{ upper .Values.none }}
{{ .Values.none | upper }}
{{ .Values.int | upper }}
{{ upper (dict) }}
{{ upper nil }}
{{ upper }}
{{ upper "a" "b" }}
{{ trunc 1 }}
{{ repeat "a" 3 }}
{{ repeat 3 "ab" }}{{ repeat 0 "x" }}
{{ repeat -1 "x" }}
{{ trunc 3.0 "abcdef" }}{{ trunc 3.5 "x" }}
{{ ternary "a" "b" 1 }}
{{ ternary "a" "b" true }}{{ true | ternary 1 2 }}
{{ 1 | 2 }}
{{ "a" | "b" }}
{{ .Values.s "x" }}
{{ .Values.s | .Values.u }}
{{ 1 2 }}
{{ (1) 2 }}
{{ . 1 }}
{{ true 1 }}
{{ $.Values.s }}{{ with .Values.m }}{{ $.Values.int }}{{ end }}
{{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }} {{ 1e3 }} {{ 1.5e-3 }} {{ 'a' }} {{ '\n' }} {{ '✓' }} {{ +5 }} {{ -5 }}
{{ 0x1p4 }} {{ .5 }} {{ 5. }} {{ 1e }}
{{ 99999999999999999999 }}
{{ 18446744073709551615 }}
{{ 9223372036854775807 }} {{ -9223372036854775808 }}
{{ 08 }}
{{ 1a }}
{{ 'ab' }}
{{ "a\tb\u00e9\x41\101" }}{{ `raw\n"x"` }}
{{ "bad\q" }}
{{ "unterminated }}
{{ `unterminated }}
{{ 'x }}
{{ "new\nline" }}
{{
{{ }}
{{ . 
{{ if }}x{{ end }}
{{ if true }}
{{ end }}
{{ else }}
{{ if true }}a{{ else }}b{{ else }}c{{ end }}
{{ if true }}a{{ else if }}b{{ end }}
{{ range }}x{{ end }}
{{ break }}
{{ continue }}
{{ range .Values.l }}{{ break 1 }}{{ end }}
{{ define }}x{{ end }}
{{ define "x }}{{ end }}
{{ define "x" }}
{{ define x }}{{ end }}
{{ if true }}{{ define "x" }}{{ end }}{{ end }}
{{ template }}
{{ template x }}
{{ template "name" . . }}
{{ block "x" }}{{ end }}
{{ nope }}
{{ nope 1 2 }}
{{ .Values.s | nope }}
{{ env "HOME" }}
{{ expandenv "$HOME" }}
{{ /* unclosed }}
{{ /* spaced */ }}
{{/* a */ x }}
{{ ) }}
{{ ( }}
{{ (1 }}
{{ () }}
{{ ((1)) }}{{ ((.Values).s) }}
{{ 1) }}
{{ | }}
{{ 1 | }}
{{ | upper }}
{{ $x, $y := 1 }}
{{ range $a, $b, $c := .Values.l }}{{ end }}
{{ range $a, 1 }}{{ end }}
{{ $x : 1 }}
{{ $x := }}
{{ .Values.s.. }}
{{ ..s }}
{{ .Values.a-b }}
{{ a-b }}
{{ .Values @ }}
{{ # }}
{{ é }}
{{ .Values.é }}
{{ $é := 1 }}{{ $é }}
{{ "a" "b" }}
{{ not true false }}
{{ call .Values.s }}
{{ call nil }}
{{ call .Values.s 1 }}
{{ printf }}
{{ printf 1 }}
{{ print }}{{ println }}
{{ len }}
{{ len 5 }}
{{ len nil }}
{{ .Values.none | len }}
{{ index }}
{{ list | first }}{{ list | last }}
{{ dict "a" }}{{ dict 1 2 true 3 }}
{{ $d := dict "a" 1 }}{{ $_ := set $d "b" 2 }}{{ $d }}{{ $_ = unset $d "a" }}{{ $d }}
{{ $d := .Values.m }}{{ $_ := set $d "new" 1 }}{{ .Values.m.new }}
{{ $_ := set .Values "added" "yes" }}{{ .Values.added }}
{{ $a := dict "x" (dict "y" 1) }}{{ $b := merge (dict) $a }}{{ $_ := set $b.x "y" 2 }}{{ $a }}
{{ $a := dict "x" (dict "y" 1) }}{{ $b := deepCopy $a }}{{ $_ := set $b.x "y" 2 }}{{ $a }}{{ $b }}
{{ $l := list 1 2 }}{{ $m := append $l 3 }}{{ $l }}{{ $m }}
{{ $s := splitList "," "c,b,a" }}{{ $t := sortAlpha $s }}{{ $s }}{{ $t }}
{{ .Release.Name }}-{{ .Chart.Name }}
{{ .Release.Nope }}|{{ .Release.Nope.x }}
{{ typeOf . }} {{ typeOf .Values }} {{ typeOf .Values.m }} {{ typeOf .Release }} {{ kindOf .Values.l }} {{ typeOf .Values.int }}
{{ range $i, $c := "ab" | splitList "" }}{{ $i }}{{ $c }}{{ end }}
{{ range tuple 1 2 }}{{ . }}{{ end }}{{ range (dict "b" 1 "a" 2) }}{{ . }}{{ end }}
{{ if not (or .Values.none .Values.zero) }}ok{{ end }}
{{ if and }}x{{ end }}
{{ if (list) }}x{{ else }}empty{{ end }}{{ if (dict) }}x{{ else }}empty{{ end }}{{ if "" }}x{{ else }}empty{{ end }}{{ if 0.0 }}x{{ else }}empty{{ end }}
{{- range $i, $e := until 3 }}{{ if $i }},{{ end }}{{ $e }}{{ end -}}
{{ lookup "v1" "Pod" "" "" }}{{ lookup "v1" "Pod" "ns" "x" }}
{{ getHostByName "localhost" }}|
{{ (semver "1.2.3-rc.1+b").Major }} {{ (semver "v1.2").Original }} {{ (semver "1.2.3-rc.1").Prerelease }} {{ semver "v2" }}
{{ (semver "1.2.3").Compare (semver "1.3.0") }} {{ (semver "1.2.3").IncMinor }}
{{ (semver "1.2.3").Nope }}
{{ semver "x" }}
{{ (semver "1.2.3").Major 1 }}
{{ .Values.m.list | join "-" }}{{ .Values.mixed | join "," }}
{{ with .Values.m }}{{ $ := 5 }}{{ $ }}{{ end }}
{{ $x := dict }}{{ $_ := set $x "self" 1 }}{{ $x.self }}
{{ $_ := set .Values.none "a" 1 }}
{{ hello }}
{{ typeOf .Values.AsMap }} {{ dig "a" "x" (.Values.m) }} {{ dig "m" "a" "x" .Values.AsMap }}
{{ dig "a" "x" .Values }}
{{ (.Values.Table "m.c").d }}
{{ .Values.Table "m.none" }}
{{ .Values.PathValue "m.a" }}{{ .Values.PathValue "int" }}
{{ .Values.PathValue "m.c" }}
{{ .Values.PathValue "" }}
{{ .Values.YAML | len }}
{{ .Values.YAML 1 }}
'''


GROUPS = {
    'language': lambda: [line for line in LANGUAGE.split('\n') if line],
    'toml': lambda: ['{{ toToml %s }}' % value for value in ANY + LIST + DICT + TOML_VALUES] +
                    ['{{ fromToml %s | toJson }}' % go_string(text) for text in TOML_TEXTS],
    'builtin': builtin_cases,
    'printf': printf_cases,
    'complex': complex_cases,
    'string': lambda: cases('''upper:s lower:s title:s untitle:s swapcase:s trim:s nospace:s initials:s snakecase:s kebabcase:s
        camelcase:s trimAll:ss trimPrefix:ss trimSuffix:ss hasPrefix:ss hasSuffix:ss contains:ss trunc:is substr:iis
        abbrev:is abbrevboth:iis repeat:is indent:is nindent:is replace:sss plural:ssi quote:aa squote:aa cat:aaa
        join:sl split:ss splitn:sis splitList:ss wrap:is wrapWith:iss toString:a''', 30),
    'convert': lambda: cases('''int:a int64:a float64:a atoi:s toDecimal:n toStrings:a typeOf:a kindOf:a typeIs:sa kindIs:sa
        typeIsLike:sa deepEqual:aa default:aa empty:a coalesce:aaa all:aa any:aa ternary:aaa''', 40),
    'math': lambda: cases('''add:nn add1:n sub:nn mul:nn div:nn mod:nn max:nnn min:nnn maxf:nn minf:nn ceil:n floor:n round:ni
        until:i untilStep:iii seq:iii seq:ii seq:i addf:nn add1f:n subf:nn mulf:nn divf:nn''', 34),
    'list': lambda: cases('''append:la prepend:la first:l last:l rest:l initial:l reverse:l compact:l uniq:l without:laa has:al
        slice:lii concat:ll chunk:il sortAlpha:l mustHas:al list:aa tuple:aa''', 28),
    'dict': lambda: cases('''get:dk set:dka unset:ek hasKey:dk pluck:kdd pick:dkk omit:dkk merge:dd
        mergeOverwrite:dd mustMerge:dd dig:kad dig:kkad deepCopy:d dict:ka''', 30, ' | toJson'),
    'keys': lambda: ['{{ keys %s | sortAlpha }}' % d for d in DICT] + ['{{ values %s | len }}' % d for d in DICT],
    'encode': lambda: cases('''b64enc:s b64dec:s b32enc:s b32dec:s toJson:a toPrettyJson:a toRawJson:a toYaml:a fromJson:s fromYaml:s
        fromJsonArray:s fromYamlArray:s mustFromJson:s sha1sum:s sha256sum:s sha512sum:s adler32sum:s toYamlPretty:a''', 40),
    'regex': lambda: cases('''regexMatch:rt mustRegexMatch:rt regexFindAll:rti regexFind:rt mustRegexFind:rt regexReplaceAll:rtp
        mustRegexReplaceAll:rtp regexReplaceAllLiteral:rtp regexSplit:rti regexQuoteMeta:t''', 40),
    'path': lambda: cases('base:x clean:x dir:x ext:x isAbs:x osBase:x', 60),
    'semver': lambda: cases('semverCompare:yz', 260),
    'date': lambda: date_cases(),
    'url': lambda: list(cases('urlParse:w', 60, ' | toJson')) + list(cases('urlJoin:v', 60)) + ['{{ urlParse %s | urlJoin }}' % w for w in PATTERNS['w']],
}
PATTERNS['x'] = ['""', '"/"', '"."', '".."', '"a"', '"/a"', '"a/"', '"a/b"', '"../a"', '"a/../../b"', '"//a//b/."', '"a.b.c"', '"/.x"',
                 '"a/.b/c"', '"/.."', '"a/b/../.."', '"./a"']
PATTERNS['y'] = ['"^1.2.3"', '"~1.2"', '">=1.19-0"', '">=1.19.0"', '"1.x"', '"*"', '"1.2 - 1.5"', '"<2 || >3"', '">1.0, <2"', '"!=1.2.3"',
                 '"^0.2"', '"^0.0.3"', '"~0"', '"=1.2"', '">1.2"', '"<=1.2"', '"x"', '"bad"', '""', '">= 1.2.3-beta.2"', '"=>1 =<2"',
                 '"~>1.2.3"', '"^v1"', '"1.2.3.4"', '"!=1.2.x"', '"<1.2.3-0"', '"^1.x.x"', '"01.2"']
PATTERNS['z'] = ['"1.2.3"', '"v1.20.4"', '"1.2"', '"0.2.5"', '"0.0.3"', '"1.2.3-beta.1"', '"2.0.0-rc1"', '"1.36.3"', '"x"', '"1.19.0-gke.1"',
                 '"3"', '"1.2.3+meta"', '"01.2.3"', '"1.2.3-01"', '""']
PATTERNS['v'] = ['(dict)', '(dict "scheme" "http" "host" "h" "path" "p q" "query" "a=b" "fragment" "f g")', '(dict "path" "a:b")', '(dict "scheme" 1)',
                 '(dict "host" "h:1" "userinfo" "u:p@x")', '(dict "scheme" "mailto" "opaque" "a@b")', '(dict "host" nil)', '(dict "path" "*")',
                 '(dict "userinfo" "a b" "host" "h")', '(dict "scheme" "file" "path" "/x")', '(dict "path" "/?#%")', 'nil', '"x"']
PATTERNS['w'] = ['"http://u:p@host:80/p/a?q=1#f"', '"https://h/"', '"/rel/path?x"', '"mailto:a@b"', '"http://[::1]:8080/x"', '""', '"a b"',
                 '"http://h/%41%zz"', '"//host/p"', '"http://h:port/"', '"x://"', '"http://é/ü?ö#ä"', '"1x:y"', '":x"', '"http://a@b@c/"',
                 '"postgresql://u:p%40ss@db.example.com:5432/name?sslmode=require"', '"http://h/a%2Fb"', '"http://u@h"', '"?q"', '"#f"']


# Times, and what their methods give: time.Month, time.Weekday, time.Duration. (Printed by other verbs, a time that is
# not in UTC shows the address of its location.)
def named_int_cases():
    head = ('{{ $t := (toDate "2006-01-02T15:04:05Z07:00" "2024-02-29T12:34:56.789Z").UTC }}'
            '{{ $a := toDate "2006-01-02T15:04:05Z07:00" "2024-01-29T12:34:56Z" }}{{ $d := $t.Sub $a }}')
    for verb in ('v +v #v s q x X d b o O c U e 5.2f f g t T 10s -40s 40v .5s 5d +d #x y 08d .3q #q +q 6.3v E G F 3d '
                 '02d').split():
        for value in ['$t', '$t.Month', '$t.Weekday', '$d', '(list $t $d $t.Month)']:
            yield head + '{{ printf "%%%s" %s }}' % (verb, value)
    for method in ['Hours', 'Minutes', 'Seconds', 'Milliseconds', 'Microseconds', 'Nanoseconds', 'String', 'Abs', 'Foo',
                   'Round 3600000000000', 'Truncate 60000000000', 'Round -1', 'Truncate 0', 'Round "x"', 'Round']:
        yield head + '{{ $d.%s }} {{ ($a.Sub $t).%s }}' % (method, method)
    for method in ['After $a', 'Before $a', 'Equal $t', 'Compare $a', 'Compare $t', 'Add 3600000000000', 'Add $d', 'Add -1',
                   'Add (int64 5)', 'Round 3600000000000', 'Truncate 3600000000000', 'Truncate $d', 'Round $d', 'Round 0',
                   'UnixMicro', 'Month', 'Weekday', 'GoString', 'Sub', 'Sub 1', 'After "x"', 'Month.String', 'Month.Foo',
                   'Weekday.String']:
        yield head + '{{ $t.%s }}' % method
    for form in ['kindOf %s', 'typeOf %s', 'int %s', 'int64 %s', 'float64 %s', 'add %s 1', 'mul %s 2', 'max %s 1',
                 'toString %s', 'toJson %s', 'toYaml (list %s)', 'toToml (dict "a" %s)', 'eq %s 2', 'lt %s 3',
                 'eq %s "February"', '%s | upper', '%s | quote', 'print %s %s', 'cat %s %s', 'join "," (list %s %s)',
                 'index (list 1 2 3) %s', 'until %s', 'len %s', 'empty %s', 'not %s', 'deepEqual %s 2', 'has %s (list 2)',
                 'durationRound %s', 'duration %s', 'ternary 1 2 (eq %s 4)', 'default 1 %s']:
        for value in ['$t.Month', '$t.Weekday', '$d']:
            yield head + '{{ %s }}' % form.replace('%s', value)


def date_cases():
    layouts = ['2006-01-02', '2006-01-02T15:04:05Z07:00', 'Jan _2 Mon Monday January', '3:04PM pm', '06 1 2 3 4 5 002 __2', '.000 .999 MST',
               '-07:00 -0700 -07', 'Z0700', 'Mon, 02 Jan 2006 15:04:05 MST', 'text', '', '2006-01-02 15:04:05.000000000', 'Januaryx Janx']
    stamps = ['0', '1', '1700000000', '-1', '951782399', '(int64 4102444800)']
    for layout in layouts:
        for stamp in stamps:
            yield '{{ dateInZone "%s" %s "UTC" }}' % (layout, stamp)
    for layout, text in [('2006-01-02', '2024-02-29'), ('2006-01-02', '2023-02-29'), ('2006-01-02', 'x'), ('15:04', '25:00'),
                         ('2006-01-02 15:04:05 -0700', '2024-05-06 07:08:09 +0200'), ('Jan 2 2006', 'Mar 4 2020'), ('2006', '2024x'),
                         ('2006-01-02T15:04:05Z07:00', '2024-05-06T07:08:09.123Z'), ('3PM', '4AM'), ('2006-1-2', '2024-13-1')]:
        yield '{{ toDate "%s" "%s" | dateInZone "2006-01-02T15:04:05.999Z07:00" "UTC" }}' % (layout, text)
        yield '{{ dateInZone "2006-01-02T15:04:05.999Z07:00" (toDate "%s" "%s") "UTC" }}' % (layout, text)
        yield '{{ dateInZone "2006-01-02T15:04:05.999Z07:00" (mustToDate "%s" "%s") "UTC" }}' % (layout, text)
        yield '{{ mustToDate "%s" "%s" | unixEpoch }}' % (layout, text)
    for d in ['1h', '-90m', '1.5h', '10ms', 'x', '', '1', '1d', '-1h30m5s', '300ns', '2562048h']:
        yield '{{ dateInZone "2006-01-02 15:04:05.999" (dateModify "%s" (toDate "2006" "2020")) "UTC" }}' % d
        yield '{{ mustDateModify "%s" (toDate "2006" "2020") | unixEpoch }}' % d
        yield '{{ durationRound "%s" }}' % d
    for d in ['0', '"95"', '(int64 3661)', '"x"', '(int64 -5)', 'nil', '3.5', '"86400"']:
        yield '{{ duration %s }}' % d
        yield '{{ durationRound %s }}' % d
    yield from named_int_cases()
    yield '{{ dateModify "1h" 5 }}'
    yield '{{ (toDate "2006-01-02" "2021-07-08").Year }}{{ (toDate "2006-01-02" "2021-07-08").Format "Jan" }}'
    yield '{{ toDate "2006-01-02" "2021-07-08" }}'


# Functions whose results differ from run to run, or whose time or memory an argument decides.
UNSTABLE = set("""ago bcrypt buildCustomCert date date_in_zone dateInZone date_modify dateModify encryptAES env fail genCA
    genCAWithKey genPrivateKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey getHostByName
    htmlDate htmlDateInZone htpasswd include indent keys lookup mustDateModify must_date_modify nindent now randAlpha
    randAlphaNum randAscii randBytes randInt randNumeric repeat seq shuffle tpl until untilStep uuidv4 values wrap
    wrapWith derivePassword call""".split())
SIZED = ['(repeat 3 %s)', '(indent 2 %s)', '(nindent 1 %s)', '(wrap 10 %s)', '(wrapWith 5 "-" %s)', '(include "echo" %s)',
         '(include "vals" %s)', '(tpl "{{ . }}" %s)', '(tpl (toString %s) $)', '(keys %s | sortAlpha)', '(until (len %s))',
         '(fromYaml (toYaml %s))', '(fromJson (toJson %s))', '(toYaml %s | fromYamlArray)', '(seq (len %s))',
         '(index %s 0)', '(index %s "a")', '(slice %s 1)', '(len %s)', '(printf "%%T %%v" %s nil)', '(printf "%%#v" %s)']
SHAPES = ['{{ %s }}', '{{ %s }}', '{{ %s | quote }}', '{{ %s | toJson }}', '{{ toYaml %s }}', '{{ printf "%%v %%T" %s %s }}',
          '{{ range $i, $e := %s }}{{ $i }}={{ $e }};{{ else }}none{{ end }}', '{{ range %s | toStrings }}[{{ . }}]{{ end }}',
          '{{ with %s }}{{ . }}{{ else }}none{{ end }}', '{{ if %s }}y{{ else if %s }}z{{ else }}n{{ end }}',
          '{{ $x := %s }}{{ $x | kindOf }}{{ $x }}', '{{ (%s).a }}', '{{ %s | len }}', '{{ eq %s %s }}', '{{ lt %s %s }}',
          '{{ and %s %s | toString | b64enc }}', '{{ (dict "k" %s).k | toRawJson }}', '{{ %s | typeOf }}|{{ %s | kindIs "map" }}']


def signatures():
    """The parameters of each function, as the other groups name them, or any."""
    source, known = open(__file__).read(), {}
    for name, params in re.findall(r'\b([a-zA-Z]\w*):([tesinldkrpxyzvwa]+)\b', source):
        known.setdefault(name, params)
    table = open(os.path.join(os.path.dirname(__file__) or '.', 'functions.txt'))
    for line in table:
        name, _, count = line.strip().partition(' ')
        if line.startswith('#') or name in UNSTABLE:
            continue
        fixed = int(count.rstrip('+'))
        yield name, known.get(name) or 'a' * fixed, count.endswith('+')


def random_cases(seed, count):
    """Nested calls of all functions, with arguments of the right type and of any."""
    rng = random.Random(int(seed))
    functions = list(signatures())
    pools = {kind: pool for kind, pool in PATTERNS.items() if kind in 'tesinldkrpxyzvwa'}

    def literal(kind):
        return rng.choice(pools[kind] if rng.random() < 0.88 else ANY + STR)

    def call(depth):
        name, params, more = rng.choice(functions)
        if more and rng.random() < 0.3:
            params = params[:-1] if rng.random() < 0.5 else params + params[-1]
        args = [value(kind, depth - 1) for kind in params]
        if args and rng.random() < 0.2:
            return '%s | %s' % (args[-1], ' '.join([name] + args[:-1]))
        return ' '.join([name] + args)

    def value(kind, depth):
        choice = rng.random()
        if depth <= 0 or choice < 0.5:
            return literal(kind)
        if choice < 0.65:
            return rng.choice(SIZED) % value('a', depth - 1)
        return '(%s)' % call(depth)

    for _ in range(int(count)):
        shape = rng.choice(SHAPES)
        case = shape % tuple('(%s)' % call(rng.choice([1, 1, 2, 2, 3])) for _ in range(shape.replace('%%', '').count('%s')))
        if 'x00' not in case:  # our messages end at a NUL
            yield case


def kept_cases():
    """A share of what long runs of random_cases made, and what they once found."""
    yield from FOUND
    yield from random_cases(1, 1500)


# What random_cases found: above all Go's nil slices and maps, which are null in JSON.
FOUND = r'''
{{ rest (list) | toJson }}
{{ initial (list) | toJson }}
{{ concat (list) (list) | toJson }}
{{ reverse (list) | toJson }}
{{ compact (list) | toJson }}
{{ uniq (list) | toJson }}
{{ without (list) 1 | toJson }}
{{ chunk 2 (list) | toJson }}
{{ fromJson "null" | toJson }}
{{ fromJsonArray "null" | toJson }}
{{ fromYaml "null" | toJson }}
{{ fromYaml "" | toJson }}
{{ fromYamlArray "null" | toJson }}
{{ fromYamlArray "" | toJson }}
{{ regexFindAll "x" "y" -1 | toJson }}
{{ regexFindAll "x" "y" -1 | toYaml }}
{{ regexFindAll "x" "y" -1 }}
{{ regexFindAll "x" "y" -1 | toString }}
{{ regexFindAll "x" "y" -1 | toStrings | toJson }}
{{ regexSplit "x" "y" 0 | toJson }}
{{ regexSplit "x" "" 0 | toJson }}
{{ printf "%#v" (regexSplit "x" "y" 0) }}
{{ printf "%#v" (rest (list)) }}
{{ printf "%#v" (list) }}
{{ splitList "," "" | toJson }}
{{ until 0 | toJson }}
{{ untilStep 0 0 1 | toJson }}
{{ toStrings nil | toJson }}
{{ toStrings (list) | toJson }}
{{ sortAlpha (list) | toJson }}
{{ keys (dict) | toJson }}
{{ values (dict) | toJson }}
{{ pluck "a" (dict) | toJson }}
{{ pick (dict) "a" | toJson }}
{{ omit (dict) "a" | toJson }}
{{ merge (dict) (dict) | toJson }}
{{ deepCopy (list) | toJson }}
{{ deepCopy (rest (list)) | toJson }}
{{ dict "a" (rest (list)) | toJson }}
{{ dict "a" (rest (list)) | toYaml }}
{{ dict "a" (rest (list)) | toToml }}
{{ deepEqual (rest (list)) (list) }}
{{ has (rest (list)) (list (list)) }}
{{ rest (rest (list)) | toJson }}
{{ append (rest (list)) 1 | toJson }}
{{ slice (list) | toJson }}
{{ slice (list 1) 0 0 | toJson }}
{{ fromToml "" | toJson }}
{{ (split "x" "") | toJson }}
{{ rest (list 1) | toJson }}
{{ initial (list 1) | toJson }}
{{ merge nil | toJson }}
{{ unset .Values.none "a" | toJson }}
{{ set (fromJson "null") "a" 1 }}
{{ get (fromJson "null") "a" }}
{{ fromJson "null" }}
{{ fromYaml "null" | len }}
{{ deepCopy (dict "a" (rest (list))) | toJson }}
{{ range rest (list) }}x{{ else }}y{{ end }}
{{ mustToDate .Values.multi "7" }}
{{ mustToDate "héllo ✓" "010" }}
{{ durationRound "1ü" }}
{{ (dict "k" (merge .Values.em .Values)).k | toRawJson }}
{{ concat .Values.el .Values.el | toYaml }}
{{ toYamlPretty (rest (list)) }}
{{ toPrettyJson (dict "a" (rest (list))) }}
{{ mustToDate "2006" "\"\\" }}
{{ eq (rest (list)) nil }}
{{ eq (rest (list)) (rest (list)) }}
{{ eq (rest (list)) (list) }}
{{ eq (list) (rest (list)) }}
{{ eq (fromJson "null") nil }}
{{ eq (fromJson "null") (dict) }}
{{ eq (fromJson "null") (rest (list)) }}
{{ ne (concat (list)) nil }}
{{ eq (list) nil }}
{{ eq (list) (list) }}
{{ eq nil (rest (list)) (list) }}
{{ chunk -3 (list 1 2 3) | toJson }}
{{ chunk -2 (list 1 2 3) | toJson }}
{{ chunk -1 (list 1 2 3) | toJson }}
{{ chunk -5 (list 1) | toJson }}
{{ chunk -1 (list 1) | toJson }}
{{ chunk -2 (list) | toJson }}
{{ mustChunk -9223372036854775808 (list 1 2) | toJson }}
{{ mustChunk 0 (list 1) }}
{{ mustRegexMatch "a\xff" "x" }}
{{ mustRegexFind "\xff[" "x" }}
{{ regexReplaceAll "[\xff" "x" "y" }}
{{ regexSplit "ü\xc3x" "x" -1 }}
{{ deepCopy (semver "1.2.3-beta.1+x") }}{{ (deepCopy (semver "1.2.3")).Major }}{{ (deepCopy (semver "1.2.3")).Original }}|
{{ range $text := list "7" "AAAAAAAA7" "AA" "AA=" "AA======" "AAA=====" "AA=====A" "AA======A" "AA======AA======" "A=======" "========" "AAAA=" "AAAAA===x" "AAAAAAA==" "AAAAAAA=" "AAAA====AAAA====" "aa======" "AAAAAA==" "AA==A===" }}{{ b32dec $text | quote }} {{ end }}
{{ "f" | call }}
{{ 3.5 | call }}
{{ list 1 | call }}
{{ toDate "2006" "2020" | call }}
{{ .Values.m | call }}
{{ nil | default 12 | call 1 }}
'''.strip().split('\n')

GROUPS['random'] = kept_cases


def main():
    seen = set()
    for case in random_cases(*sys.argv[2:]) if len(sys.argv) > 2 else GROUPS[sys.argv[1]]():
        if case not in seen:
            seen.add(case)
            print(case.replace('\\', '\\\\').replace('\n', '\\n').replace('\r', '\\r'))


if __name__ == '__main__':
    main()
