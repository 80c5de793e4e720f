package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testRules = `
record:
  "*": { create: false, read: true, write: false }
  orders/$user/$id:
    write: user.id === $user && (oldData === null || oldData.state === 'open') && data.total <= _('limits').max
event: { "*": { publish: "user.data.role === 'admin'" } }
rpc: { "*": {} }
presence: { "*": { allow: "name === undefined" } }
`

// run executes the command line in a folder with testRules and returns its exit code and output.
func run(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"conf.yml":   "permission: { options: { permissions: fileLoad(rules.yml) } }\n",
		"rules.yml":  testRules,
		"inline.yml": "permission:\n  options:\n    permissions:\n" + strings.ReplaceAll(strings.TrimSpace(testRules), "\n", "\n      "),
		"wrong.yml":  "permission: { options: { permissions: { record: { '*': { read: 'a b' } } } } }\n",
		"none.yml":   "{}\n",
	} {
		text = strings.Replace(text, "permissions:\nrecord", "permissions:\n      record", 1)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	root := newRoot(&out, &out)
	for i, a := range args {
		if strings.HasSuffix(a, ".yml") {
			args[i] = filepath.Join(dir, a)
		}
	}
	root.SetArgs(append([]string{"permission", "explain"}, args...))
	err := root.Execute()
	if err == nil {
		return 0, out.String()
	}
	if !errors.Is(err, errReported) {
		out.WriteString(err.Error())
	}
	return exitCode(err), out.String()
}

func TestPermissionExplain(t *testing.T) {
	order := []string{"-c", "conf.yml", "--user", "ann", "--topic", "record", "--action", "write", "--name", "orders/ann/1"}
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"allowed", append(order, "--data", `{"total":3}`, "--old-data", `{"state":"open"}`, "--record", `limits={"max":5}`), 0,
			[]string{"ALLOWED", "rules.yml:5:12", `"orders/$user/$id"`, `$user = "ann"`, `limits = {"max":5}`, "oldData.state === 'open' = true"}},
		{"denied", append(order, "--data", `{"total":9}`, "--record", `limits={"max":5}`), 1,
			[]string{"DENIED", "data.total <= _('limits').max = false", "orders/ann/1 = does not exist"}},
		{"error of a rule denies", append(order, "--data", `{"total":9}`), 1, []string{"ERROR", "a member of undefined or null"}},
		{"a patch", append(order, "--path", "total", "--data", `4`, "--old-data", `{"state":"open"}`, "--record", `limits={"max":5}`), 0,
			[]string{"RECORD PATCH", `data = {"state":"open","total":4}`}},
		{"an action of the protocol", []string{"-c", "conf.yml", "--topic", "RECORD", "--action", "subscribeandread", "--name", "x"}, 0, []string{"everybody"}},
		{"inline rules", []string{"-c", "inline.yml", "--topic", "event", "--action", "publish", "--name", "x", "--server-data", `{"role":"admin"}`}, 0, []string{"inline.yml:"}},
		{"no name", []string{"-c", "conf.yml", "--topic", "presence", "--action", "allow"}, 0, nil},
		{"no rule", []string{"-c", "conf.yml", "--topic", "rpc", "--action", "provide", "--name", "x"}, 1, []string{"no path that matches"}},
		{"unknown topic", []string{"--topic", "x", "--action", "read"}, 2, []string{"--topic", "expected record"}},
		{"unknown action", []string{"--topic", "event", "--action", "write"}, 2, []string{"publish, subscribe, listen"}},
		{"bad data", []string{"--topic", "event", "--action", "publish", "--data", "{"}, 2, []string{"--data is not JSON"}},
		{"bad record", []string{"--topic", "event", "--action", "publish", "--record", "x"}, 2, []string{"NAME=JSON"}},
		{"bad record content", []string{"--topic", "event", "--action", "publish", "--record", "x={"}, 2, []string{"not JSON"}},
		{"bad flag", []string{"--nonsense"}, 2, []string{"nonsense"}},
		{"no file", []string{"-c", "absent.yml", "--topic", "event", "--action", "publish"}, 2, []string{"does not exist"}},
		{"no rules", []string{"-c", "none.yml", "--topic", "event", "--action", "publish"}, 2, []string{"permission.options.permissions"}},
		{"wrong rules", []string{"-c", "wrong.yml", "--topic", "event", "--action", "publish"}, 2, []string{"end of the rule", "^"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, output := run(t, append([]string(nil), c.args...)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, output)
			}
			for _, want := range c.want {
				if !strings.Contains(output, want) {
					t.Errorf("no %q in\n%s", want, output)
				}
			}
		})
	}
}
