package valve

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var codeBlock = regexp.MustCompile("(?ms)^```(yaml|js)\n(.*?)^```$")

// What docs/permissions.md shows is right.
func TestDocumentedRules(t *testing.T) {
	text, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	files, rules := 0, 0
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		if block[1] == "yaml" {
			files++
			if _, warnings, err := Load(Source{File: "permissions.yml", Text: []byte(block[2])}); err != nil || len(warnings) > 0 {
				t.Errorf("%v %v", warnings, err)
			}
			wrong := strings.Replace(block[2], "write: user.id === $user\n", "write: user.id === $user && parseInt(data.n) > 3\n", 1)
			if _, _, err := Load(Source{File: "permissions.yml", Text: []byte(wrong)}); err == nil || !strings.Contains(string(text), err.Error()+"\n```") {
				t.Errorf("another message: %v", err)
			}
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(block[2]), "\n") {
			rules++
			root, err := parse(line)
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			c := check{scope: scope{kind: recordWrite, vars: []string{"$user", "$room"}}}
			c.resolve(root)
			if c.err != nil || len(c.warnings) > 0 {
				t.Errorf("%s: %v %v", line, c.err, c.warnings)
			}
		}
	}
	if files < 1 || rules < 10 {
		t.Fatalf("%d files and %d rules found", files, rules)
	}
	// Every rule type is in the table, in its section.
	for _, section := range sections {
		if row := "| " + section + " | " + strings.Join(typesOf(section), ", ") + " |"; !strings.Contains(string(text), row) {
			t.Errorf("no row %s", row)
		}
	}
}
