// Renders templates with helm's own engine and writes golden lines: the judge of host/template.
//
//	cd tests/judges/helm && go run ../../unit/data/template/judge.go ../../unit/data/template < CASES > GOLDEN
//
// CASES has one template a line. A golden case is the template ("> …") and its output ("= …") or error ("! …");
// backslash, newline and carriage return are escaped.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

var escape = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "\\r")
var unescape = strings.NewReplacer("\\\\", "\\", "\\n", "\n", "\\r", "\r")

func render(dir, text string) (string, error) {
	helpers, err := os.ReadFile(filepath.Join(dir, "helpers.tpl"))
	if err != nil {
		return "", err
	}
	values, err := chartutil.ReadValuesFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		return "", err
	}
	c := &chart.Chart{
		Metadata: &chart.Metadata{Name: "c", Version: "1.2.3", APIVersion: "v2"},
		Templates: []*chart.File{
			{Name: "templates/_helpers.tpl", Data: helpers},
			{Name: "templates/t", Data: []byte(text)},
		},
	}
	release := map[string]interface{}{"Name": "rel", "Namespace": "ns", "IsInstall": true, "Revision": 1}
	out, err := engine.Engine{}.Render(c, chartutil.Values{"Values": values, "Release": release})
	return out["c/templates/t"], err
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	for in.Scan() {
		text := unescape.Replace(in.Text())
		out, err := render(os.Args[1], text)
		fmt.Printf("> %s\n", in.Text())
		if err != nil {
			fmt.Printf("! %s\n", escape.Replace(err.Error()))
		} else {
			fmt.Printf("= %s\n", escape.Replace(out))
		}
	}
}
