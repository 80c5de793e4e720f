package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"deepstream-fast/internal/doctree"
)

// FileVariable is the environment variable that names the configuration file, or a folder with one.
const FileVariable = "DEEPSTREAM_CONFIG_DIRECTORY"

// ErrNoFile is returned by Find if there is no configuration file in any of the usual places.
var ErrNoFile = errors.New("config: no configuration file found")

// extensions in the order they are looked for.
var extensions = []string{".toml", ".yml", ".yaml", ".json"}

// Find returns the configuration file to load: explicit if not empty, else what FileVariable names,
// else the first that exists of /etc/deepstream/conf.*, ./conf/config.* and ./conf.toml. A file that
// was named but does not exist is an error with that name, not a reason to look further.
func Find(explicit string, env func(string) (string, bool)) (string, error) {
	return find(explicit, env, []string{"/etc/deepstream/conf", "conf/config"})
}

func find(explicit string, env func(string) (string, bool), stems []string) (string, error) {
	if explicit != "" {
		return explicit, nil
	}
	if named, _ := env(FileVariable); named != "" {
		if info, err := os.Stat(named); err != nil || !info.IsDir() {
			return named, nil
		}
		return first([]string{filepath.Join(named, "conf"), filepath.Join(named, "config")}, nil)
	}
	return first(stems, []string{"conf.toml"})
}

// first returns the first file that exists: every stem with every extension, then the others.
func first(stems, others []string) (string, error) {
	var paths []string
	for _, stem := range stems {
		for _, ext := range extensions {
			paths = append(paths, stem+ext)
		}
	}
	paths = append(paths, others...)
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: looked for %s", ErrNoFile, strings.Join(paths, ", "))
}

// Load reads the file at path, whose extension tells the format. Variables come from env, which is
// os.LookupEnv outside of tests. The error is an Errors with every problem of the file, or says why
// it could not be read. Safe for concurrent use, if env is.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	ext := filepath.Ext(path)
	switch {
	case ext == ".js":
		return nil, fmt.Errorf("config: %s: JavaScript is not executed here; write the same as YAML, JSON or TOML", path)
	case !slices.Contains(extensions, ext):
		return nil, fmt.Errorf("config: %s: unknown format; expected a name that ends in %s", path, strings.Join(extensions, ", "))
	}
	raw, err := read(path, configBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &missingError{path}
	}
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return load(path, raw, env)
}

// load is Load for text already read.
func load(path, raw string, env func(string) (string, bool)) (*Config, error) {
	r := newReport()
	c := Default()
	var files map[string]string
	if root := parse(newSource(path, raw, doctree.HasComments(filepath.Ext(path)), env, r), r); root != nil {
		x := expander{dir: filepath.Dir(path), env: env, report: r}
		x.expand(root)
		d := decoder{report: r, at: map[string]*node{}, broken: map[string]bool{}}
		d.section(root, reflect.ValueOf(&c).Elem(), "")
		k := checker{report: r, at: d.at, broken: d.broken}
		k.config(&c)
		files = d.files()
	}
	warnings, err := r.finish()
	if err != nil {
		return nil, err
	}
	c.Warnings, c.Dir, c.File, c.Files = warnings, filepath.Dir(path), path, files
	return &c, nil
}

// missingError is about a configuration file that was named and is not there.
type missingError struct{ path string }

func (e *missingError) Error() string { return "config: " + e.path + " does not exist" }

// Unwrap lets callers ask for fs.ErrNotExist.
func (e *missingError) Unwrap() error { return fs.ErrNotExist }
