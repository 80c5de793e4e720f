package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func loaded(t *testing.T, text string) *Config {
	t.Helper()
	c, err := load("a.toml", text, lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChangesNameTheKeys(t *testing.T) {
	base := loaded(t, "")
	for text, want := range map[string]string{
		"": "",
		"logLevel = 'INFO'\n[rpc]\nackTimeout=1000":                                                    "", // the defaults, spelled out
		"logLevel = 'DEBUG'":                                                                           "logLevel",
		"[rpc]\nackTimeout = 5\nresponseTimeout = 6":                                                   "rpc.ackTimeout rpc.responseTimeout",
		"[record]\nstorageExclusionPrefixes = []":                                                      "",
		"[record]\nstorageExclusionPrefixes = ['a']":                                                   "record.storageExclusionPrefixes",
		"[storage]\ntype = 'none'":                                                                     "storage.type",
		"connectionEndpoints = [{type='ws-binary'}]":                                                   "connectionEndpoints",
		"connectionEndpoints = [{type='ws-binary', options={maxMessageSize=5}}, {type='http'}]":        "connectionEndpoints[0].options.maxMessageSize",
		"connectionEndpoints = [{type='http'}, {type='ws-binary'}]":                                    "connectionEndpoints",
		"[permission.options]\npermissions = {a=1}":                                                    "permission.options.permissions",
		"[httpServer.options]\norigins=['https://a.example']\nallowAllOrigins=false\nport=1\nhost='h'": "httpServer.options.host httpServer.options.port httpServer.options.allowAllOrigins httpServer.options.origins",
	} {
		next := loaded(t, text)
		got := strings.Join(Changes(base, next), " ")
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if back := strings.Join(Changes(next, base), " "); back != want {
			t.Errorf("%q backwards: got %q, want %q", text, back, want)
		}
	}
}

// Whatever key is changed, Changes names it: nobody has to remember this file when adding one.
func TestChangesSeesEveryKey(t *testing.T) {
	leaves(t, func(t *testing.T, path, variant string, f field) {
		if f.ignored() != "" {
			return
		}
		a, b := Default(), Default()
		if strings.Contains(path, "[]") { // sections of lists need one of that type to be in
			list := field{}
			for _, top := range fieldsOf(reflect.TypeFor[Config]()) {
				if strings.HasPrefix(path, top.key+"[]") {
					list = top
				}
			}
			for _, c := range []*Config{&a, &b} {
				v := reflect.ValueOf(c).Elem().FieldByIndex(list.Index)
				v.Set(reflect.Append(reflect.Zero(v.Type()), newSection(v.Type().Elem(), variant)))
			}
		}
		v := at(reflect.ValueOf(&b).Elem(), strings.ReplaceAll(path, "[]", ".0"), variant)
		other(v)
		got := Changes(&a, &b)
		if len(got) != 1 || withoutIndexes(got[0]) != strings.ReplaceAll(path, "[]", "") && f.key != "type" {
			t.Errorf("got %v", got)
		}
	})
}

// at returns the value under path.
func at(v reflect.Value, path, variant string) reflect.Value {
	for _, key := range strings.Split(path, ".") {
		if v.Kind() == reflect.Slice {
			v = v.Index(0)
			continue
		}
		i := slices.IndexFunc(fieldsOf(v.Type()), func(f field) bool { return f.key == key && f.applies(variant) })
		v = v.FieldByIndex(fieldsOf(v.Type())[i].Index)
	}
	return v
}

// other gives v another value than it has.
func other(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Struct:
		v.Set(reflect.ValueOf(Document{Value: "x"}))
	default:
		v.SetInt(v.Int() + 1)
	}
}

func TestCoversWhatLiesBelowAKey(t *testing.T) {
	for _, tt := range []struct {
		key, path string
		want      bool
	}{
		{"logLevel", "logLevel", true}, {"log", "logLevel", false}, {"permission", "permission.type", true},
		{"permission.options.permissions", "permission.options", false},
		{"auth", "auth[0].options.users", true}, {"auth.options.users", "auth[1].options.users", true},
		{"auth[0]", "auth[1].type", false}, {"auth[1]", "auth[1].type", true},
	} {
		if got := Covers(tt.key, tt.path); got != tt.want {
			t.Errorf("Covers(%q, %q) = %v", tt.key, tt.path, got)
		}
	}
}

func TestFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "rules.yml"), "record: {}\n")
	writeFile(t, filepath.Join(dir, "name.txt"), "node")
	file := filepath.Join(dir, "conf.toml")
	writeFile(t, file, "serverName = 'fileLoad(name.txt)'\n[permission.options]\npermissions = 'fileLoad(rules.yml)'\n")
	c, err := Load(file, lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"serverName": filepath.Join(dir, "name.txt"), "permission.options.permissions": filepath.Join(dir, "rules.yml")}
	if !reflect.DeepEqual(c.Files, want) {
		t.Errorf("got %v, want %v", c.Files, want)
	}
}
