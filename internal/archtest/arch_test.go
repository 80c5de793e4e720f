package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "deepstream-fast"

// rows is the layer of every top-level folder: a package imports only rows below its own. Folders
// of one row never import each other, except for the pairs in sideways and a package's own children.
var rows = map[string]int{
	"cmd":    6,
	"server": 5, "config": 5,
	"session": 4, "httpapi": 4, "mqtt": 4, "cluster": 4, "plugin": 4, "monitor": 4,
	"engine": 3, "store": 3, "auth": 3,
	"record": 3, "event": 3, "rpc": 3, "presence": 3, "listen": 3,
	"codec": 2, "registry": 2, "fanout": 2, "bulk": 2, "permission": 2,
	"protocol": 1, "lazyjson": 1, "timer": 1, "internal/invariant": 1, "internal/warn": 1, "internal/doctree": 1,
	"internal/ecma": 0,
}

// sideways lists the imports within a row that the flow of data needs.
var sideways = map[string]string{
	"server → config":   "the composition root maps the file's schema to each package's Options",
	"httpapi → session": "another way in, same sessions",
	"mqtt → session":    "another way in, same sessions",
	"record → listen":   "record listening",
	"event → listen":    "event listening",
	"bulk → permission": "a decision per name",
	"bulk → registry":   "names to subscriptions",
	"fanout → registry": "names to subscribers",
	"fanout → codec":    "one encoded message to many",
}

// topics decide, drivers do: a topic replays from its inputs alone.
var topics = map[string]bool{"record": true, "event": true, "rpc": true, "presence": true, "listen": true}

var topicForbiddenImports = map[string]string{
	"net": "sockets belong to engine", "os": "files belong to store and config",
	"math/rand": "randomness is an input", "math/rand/v2": "randomness is an input", "crypto/rand": "randomness is an input",
}

// outside lists folders that are not part of the server: tests, tools and programs to read.
var outside = map[string]bool{"bench": true, "fuzz": true, "e2e": true, "examples": true, "profiles": true, "docs": true, "tools": true}

// folder returns the key of path (relative to the module) in rows.
func folder(path string) string {
	if strings.HasPrefix(path, "internal/") {
		return path
	}
	top, _, _ := strings.Cut(path, "/")
	return top
}

func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 5 {
		t.Fatalf("found only %d Go files: the walk is broken", len(files))
	}
	return files
}

func TestImportsPointDown(t *testing.T) {
	for path, f := range sources(t) {
		dir := filepath.ToSlash(filepath.Dir(path))
		from := folder(dir)
		if outside[from] || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(from, "internal/testkit") || from == "internal/archtest" {
			continue
		}
		row, ok := rows[from]
		if !ok {
			t.Errorf("%s: folder %q has no row in the import table", path, from)
			continue
		}
		for _, imp := range f.Imports {
			target, _ := strconv.Unquote(imp.Path.Value)
			rel, ours := strings.CutPrefix(target, module+"/")
			if !ours {
				continue
			}
			to := folder(rel)
			if to == from || to == "internal/invariant" {
				continue
			}
			if strings.HasPrefix(to, "internal/testkit") || outside[to] {
				t.Errorf("%s imports %s: test and tool code stays out of the server", path, target)
				continue
			}
			toRow, known := rows[to]
			if known && toRow < row {
				continue
			}
			if sideways[from+" → "+to] == "" {
				t.Errorf("%s imports %s: row %d may not import row %d", path, target, row, toRow)
			}
		}
	}
}

func TestTopicsArePure(t *testing.T) {
	for path, f := range sources(t) {
		dir := folder(filepath.ToSlash(filepath.Dir(path)))
		if !topics[dir] || strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, imp := range f.Imports {
			target, _ := strconv.Unquote(imp.Path.Value)
			if why, bad := topicForbiddenImports[target]; bad {
				t.Errorf("%s imports %s: %s", path, target, why)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a topic starts no goroutine", path)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since" || n.Sel.Name == "AfterFunc") {
					t.Errorf("%s: time.%s in a topic: time is an argument", path, n.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	comments := map[string]string{} // by folder
	for path, f := range sources(t) {
		if !strings.HasSuffix(path, "_test.go") {
			comments[filepath.ToSlash(filepath.Dir(path))] += f.Doc.Text()
		}
	}
	for dir, comment := range comments {
		if len(comment) <= 60 {
			t.Errorf("package %s has no package comment that says what it is for", dir)
		}
		if !inServer(dir) {
			continue
		}
		for _, part := range []string{"# Invariants", "Cost: ", "Stability: "} {
			if !strings.Contains(comment, part) {
				t.Errorf("the comment of package %s has no %q", dir, part)
			}
		}
	}
}

// inServer reports whether the package in dir is part of the server and has something to promise: tests,
// tools, and what exists for tests only, has not.
func inServer(dir string) bool {
	switch dir {
	case "internal/archtest", "internal/invariant", "internal/testkit", "internal/testkit/testcert", "codec/internal/pbtest", "store/storetest":
		return false
	}
	return !outside[folder(dir)]
}
