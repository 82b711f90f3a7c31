// Prints what moby's patternmatcher says about many ignore files: the paths of a tree first ("P path", folders before
// what they hold), then for each file its text in hexadecimal ("F …") with one digit a path, 1 where it is ignored, or
// E where the file is refused ("R …"). The output is tests/unit/docker/ignore.golden.
package main

import (
	"encoding/hex"
	"fmt"
	"math/rand"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

var paths = strings.Fields(`
.dockerignore .git .git/HEAD .git/refs .git/refs/main Dockerfile README.md
a a/a a/a/a a/a/b.js a/b a/b/a a/b/b.js a/b/b a/b/b/c.md a/c.md a/[x] a/a+b
b b/a b/a/b b/a/b/a b/b.js b/x.y.z b/README.md b/.env
ab ab/a ab/b ab/ba ab/ba/a ba ba/a ba/b.js abc abc/d
c.md c.mdx x.y x^y é é/ü é/a a-b a_b -
node_modules node_modules/a node_modules/a/node_modules node_modules/a/node_modules/b src src/a src/a/node_modules
src/a/node_modules/c src/index.js src/deep src/deep/er src/deep/er/est.js src/deep/er/README.md`)

var files = []string{
	"", "#x", "*", "**", "***", "!", "! ", "/", ".", "..", "../a", "!../a", "a/", "/a", "//a//b/", "./a", "a/../b", "a//b", " a ", "\ta\r\n", "# a\n#a\n a#",
	"\xef\xbb\xbfa\n", "*\n!a", "*\n!a/b", "*\n!a/b\na/b/b", "**\n!**/*.js", "**/*.md\n!README.md", "*.md\n!c.md\n!b/README.md",
	"node_modules", "**/node_modules", "**/node_modules\n!src/a/node_modules", "**/node_modules/**", "src/**/README.md",
	"src/**\n!src/deep/**", "src/*\n!src/deep", "src\n!src/deep/er/est.js", "src\n!src/*.js", "src\n!**/*.js", "**/b", "**/b/**", "a/**/b", "a/**", "a**", "**a", "a**b", "**.js", "*.js", "**/*.js",
	"a/**/**/b", "a?b", "?", "??", "a/?", "[ab]", "[^ab]", "[!ab]", "[a-c]", "[c-a]", "[a", "a]", "[]a]", "[a-]", "[-a]", "[]", "[^]", "[a]b", "[[]x]", "a/\\[x\\]", "a/[[]x]", "a/[\\[]x]",
	"\\", "a\\", "\\a", "a\\b", "\\*", "\\!a", "!\\!a", "\\#x", "a/a+b", "x.y", "x^y", "x^?", "[x^]?y", "x[.]y", "(a|b)", "a|b", "{a,b}", "a$", "é", "?/ü", "[é]", "[à-ý]/*", "é/**",
	"*\n!.git\n.git/refs", ".git\n!.git/refs/main", ".*", "!a\na", "a\n!a\na", "a\n!a/b\na/b/b\n!a/b/b/c.md", "*\n!*/\n", "*/*\n!a/*", "*/*/*", "[*]", "[?]", "[*]a", "a[?]b", "a[_-]b", "a[-_]b", "[a-b-c]",
	"[[:alpha:]]", "[[:alpha:]b]", "[[:nope:]]", "[:a]", "[\\-]", "[a\\]]", "[a\\", "[a-\\b]", "**[ab]", "**?", "**/?", "?**", "a/**/*", "/**/a", "!**", "**\n!**", "**\n!a/**\na/b", "!/", "a\n\n\n!\ta/b \n",
}

const alphabet = "aabb//**!?.[]^-c\\\n\n \nmd"

func random(source *rand.Rand) string {
	text := make([]byte, 1+source.Intn(24))
	for i := range text {
		text[i] = alphabet[source.Intn(len(alphabet))]
	}
	return string(text)
}

func judge(text string) string {
	lines, err := ignorefile.ReadAll(strings.NewReader(text))
	if err != nil {
		return "E"
	}
	for _, line := range lines {
		// filepath.Match overlooks a malformed end where the start does not match "."; such a pattern is refused here.
		if _, err := path.Match(strings.TrimPrefix(line, "!"), "."); err != nil {
			return "E"
		}
		// Compiled on first use, so each is used once.
		alone := []string{line}
		if strings.HasPrefix(line, "!") {
			alone = []string{"**", line}
		}
		one, err := patternmatcher.New(alone)
		if err != nil {
			return "E"
		}
		if _, err := one.MatchesOrParentMatches("some/path"); err != nil {
			return "E"
		}
	}
	matcher, err := patternmatcher.New(lines)
	if err != nil {
		return "E"
	}
	infos := map[string]patternmatcher.MatchInfo{}
	result := ""
	for _, name := range paths {
		ignored, info, err := matcher.MatchesUsingParentResults(name, infos[path.Dir(name)])
		if err != nil {
			return "E"
		}
		infos[name] = info
		if ignored {
			result += "1"
		} else {
			result += "0"
		}
	}
	return result
}

func main() {
	for _, name := range paths {
		fmt.Println("P", name)
	}
	all := files
	source := rand.New(rand.NewSource(1))
	for range 900 {
		all = append(all, random(source))
	}
	for _, text := range all {
		fmt.Printf("F %s\nR %s\n", hex.EncodeToString([]byte(text)), judge(text))
	}
}
