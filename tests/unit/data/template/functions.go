// Writes the functions of helm's templates with the number of their parameters, "+" behind it where the last one may be
// repeated or left out: the judge of the table in host/template/function.c.
//
//	cd tests/judges/helm && go run -ldflags=-checklinkname=0 ../../unit/data/template/functions.go
package main

import (
	"fmt"
	"reflect"
	"sort"
	"text/template"
	_ "unsafe"

	_ "helm.sh/helm/v3/pkg/engine"
)

//go:linkname helm helm.sh/helm/v3/pkg/engine.funcMap
func helm() template.FuncMap

//go:linkname builtins text/template.builtins
func builtins() template.FuncMap

func main() {
	all := builtins()
	for name, function := range helm() {
		all[name] = function
	}
	names := []string{}
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		t := reflect.TypeOf(all[name])
		more := ""
		if t.IsVariadic() {
			more = "+"
		}
		fmt.Printf("%s %d%s\n", name, t.NumIn(), more)
	}
}
