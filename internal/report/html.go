package report

import "fmt"

func serviceAnchor(i int) string { return fmt.Sprintf("service-%d", i+1) }
func linkAnchor(i int) string    { return fmt.Sprintf("link-%d", i+1) }
