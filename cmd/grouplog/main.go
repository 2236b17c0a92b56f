// Grouplog is the command line of the group engine. See grouplog help.
package main

import (
	"os"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
