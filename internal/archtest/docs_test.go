package archtest

import (
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Documents rot where nobody runs them, so whatever they name has to exist: the targets of links with
// their headings, paths, Go packages, make targets, tests and benchmarks, files of tests.
var (
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	span        = regexp.MustCompile("`([^`\n]+)`")
	fence       = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	heading     = regexp.MustCompile(`(?m)^#+ (.+)$`)
	outsideSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	pathWord    = regexp.MustCompile(`^[\w.*-]+(/[\w.*-]+)*$`)
	packageWord = regexp.MustCompile(`(?:^|\s)\./([\w/-]+)`)
	makeTarget  = regexp.MustCompile(`(?m)(?:^|\s)make ([a-z][a-z0-9-]*)`)
	testName    = regexp.MustCompile(`^(?:Test|Benchmark|Fuzz)[A-Z]\w*$`)
	testFile    = regexp.MustCompile(`^[\w-]+(?:_test\.go|\.test\.mjs|\.txt|\.rules)$`)
	shellRemark = regexp.MustCompile(`(?m)(?:^|\s)#.*$`)
	inComments  = regexp.MustCompile(`\bdocs/[\w./-]*\w`)
)

// repository is what documents may refer to.
type repository struct {
	root    string
	names   map[string]bool // base names of all files
	funcs   map[string]bool // functions of all Go files
	targets map[string]bool // of the Makefile
}

func openRepository(t *testing.T) (r repository, pages []string) {
	t.Helper()
	r = repository{root: filepath.Join("..", ".."), names: map[string]bool{}, funcs: map[string]bool{}, targets: map[string]bool{}}
	err := filepath.WalkDir(r.root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != r.root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return filepath.SkipDir
		case !d.IsDir():
			r.names[d.Name()] = true
			if strings.HasSuffix(file, ".md") {
				pages = append(pages, file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sources(t) {
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				r.funcs[fn.Name.Name] = true
			}
		}
	}
	makefile := readText(t, filepath.Join(r.root, "Makefile"))
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(makefile, -1) {
		r.targets[m[1]] = true
	}
	if len(pages) < 10 || len(r.targets) < 10 {
		t.Fatalf("found only %d pages and %d make targets: the walk is broken", len(pages), len(r.targets))
	}
	return r, pages
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exists reports whether there is something called name, a path from the root that may have wildcards.
func (r *repository) exists(name string) bool {
	found, err := filepath.Glob(filepath.Join(r.root, filepath.FromSlash(name)))
	return err == nil && len(found) > 0
}

func TestDocumentsNameWhatExists(t *testing.T) {
	r, pages := openRepository(t)
	for _, page := range pages {
		text := readText(t, page)
		prose := fence.ReplaceAllString(text, "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			r.checkLink(t, page, m[1])
		}
		for _, m := range span.FindAllStringSubmatch(prose, -1) {
			r.checkSpan(t, page, m[1])
		}
		commands := shellRemark.ReplaceAllString(strings.Join(fence.FindAllString(text, -1), "\n"), "") + "\n"
		for _, m := range span.FindAllStringSubmatch(prose, -1) {
			commands += m[1] + "\n"
		}
		for _, m := range packageWord.FindAllStringSubmatch(commands, -1) {
			if r.ours(m[1]) && !r.exists(m[1]) {
				t.Errorf("%s: no package ./%s", page, m[1])
			}
		}
		for _, m := range makeTarget.FindAllStringSubmatch(commands, -1) {
			if !r.targets[m[1]] {
				t.Errorf("%s: the Makefile has no target %s", page, m[1])
			}
		}
	}
}

func (r *repository) checkLink(t *testing.T, page, target string) {
	if strings.Contains(target, "://") {
		return
	}
	file, anchor, _ := strings.Cut(target, "#")
	full := page
	if file != "" {
		full = filepath.Join(filepath.Dir(page), file)
	}
	if _, err := os.Stat(full); err != nil {
		t.Errorf("%s: dead link %s", page, target)
		return
	}
	if anchor != "" && !slugs(readText(t, full))[anchor] {
		t.Errorf("%s: %s has no heading for #%s", page, full, anchor)
	}
}

// slugs returns the anchors of a page, as they are made from its headings.
func slugs(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		all[strings.ReplaceAll(outsideSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

// checkSpan judges `code` in a sentence, as far as it can be told what it names.
func (r *repository) checkSpan(t *testing.T, page, code string) {
	switch {
	case testName.MatchString(code) && !r.funcs[code]:
		t.Errorf("%s: there is no %s", page, code)
	case testFile.MatchString(code) && !r.names[code]:
		t.Errorf("%s: there is no file %s", page, code)
	}
	for _, word := range strings.Fields(code) {
		if strings.Contains(word, "/") && pathWord.MatchString(word) && r.ours(word) && !r.exists(word) && !r.exists(packageOf(word)) {
			t.Errorf("%s: there is no %s", page, word)
		}
	}
}

// ours reports whether word begins with a folder of the project, and so names a path and not a ratio, a
// package of others or a URL.
func (r *repository) ours(word string) bool {
	top, _, _ := strings.Cut(word, "/")
	return rows[top] > 0 || outside[top] || top == "internal" || top == "scripts" || top == "packaging"
}

// packageOf returns the folder that a qualified name such as store/pebble.Store.mu begins with.
func packageOf(word string) string {
	dir, base := path.Split(word)
	name, _, _ := strings.Cut(base, ".")
	return dir + name
}

// Comments send their readers to docs/adr/0011 or docs/tls.md: there has to be something.
func TestCommentsNameDocumentsThatExist(t *testing.T) {
	r, _ := openRepository(t)
	for file, f := range sources(t) {
		for _, group := range f.Comments {
			for _, name := range inComments.FindAllString(group.Text(), -1) {
				if !r.exists(name) && !r.exists(name+"*") {
					t.Errorf("%s: a comment names %s, which is not there", file, name)
				}
			}
		}
	}
}
