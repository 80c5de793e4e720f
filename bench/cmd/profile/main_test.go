package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

const committed = "../../../profiles"

// pathOf finds sources by their absolute path: with -trimpath they begin with the name of a module.
var pathOf = regexp.MustCompile(`/(home|root|Users|usr|opt|tmp|var|work|build|src|mnt)/[\w.@~/-]+\.go`)

// The committed profiles are complete, can be read, and do not say where they were made.
func TestCommittedProfiles(t *testing.T) {
	scenarios := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(committed, "*.pprof"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(committed, "../cmd/deepstream-fast/default.pgo"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.ParseData(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, m := range p.Mapping {
			if strings.Contains(m.File, "/") {
				t.Errorf("%s names the file %s", file, m.File)
			}
		}
		for _, f := range p.Function {
			if filepath.IsAbs(f.Filename) {
				t.Errorf("%s names the file %s", file, f.Filename)
			}
		}
		scenarios[filepath.Base(file)] = true
	}
	for _, name := range []string{"fanout", "narrow", "records", "idle"} {
		for _, kind := range []string{"cpu", "heap", "mutex", "block"} {
			if !scenarios[name+"."+kind+".pprof"] {
				t.Errorf("there is no %s profile of %s", kind, name)
			}
		}
		trace, err := os.ReadFile(filepath.Join(committed, name+".trace"))
		if err != nil {
			t.Fatal(err)
		}
		if path := pathOf.Find(trace); path != nil || !bytes.HasPrefix(trace, []byte("go 1.")) {
			t.Errorf("%s.trace: path %q, beginning %.16q", name, path, trace)
		}
	}
}

func TestNameless(t *testing.T) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 0); err != nil {
		t.Fatal(err)
	}
	data, err := nameless(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Sample) == 0 || len(p.Mapping) == 0 {
		t.Fatalf("%d samples, %d mappings", len(p.Sample), len(p.Mapping))
	}
	for _, m := range p.Mapping {
		if strings.Contains(m.File, "/") {
			t.Errorf("it names the file %s", m.File)
		}
	}
	if _, err := nameless([]byte("no profile")); err == nil {
		t.Error("what is no profile was taken for one")
	}
}
