// Program certs writes certificates for the end-to-end tests and examples/guarded into the folder it is given: ca.pem, and for
// each further argument NAME a certificate NAME.pem of that authority with its key NAME.key. They end
// with the day.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"deepstream-fast/internal/testkit/testcert"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: certs FOLDER [NAME...]")
		os.Exit(2)
	}
	root := testcert.Root("e2e")
	write("ca.pem", root.CertPEM())
	for _, name := range os.Args[2:] {
		c := root.Issue(name, 24*time.Hour)
		write(name+".pem", c.CertPEM())
		write(name+".key", c.KeyPEM())
	}
}

func write(name string, text []byte) {
	if err := os.WriteFile(filepath.Join(os.Args[1], name), text, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
