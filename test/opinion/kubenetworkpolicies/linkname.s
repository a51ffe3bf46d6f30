// An assembly file, though empty, lets a Go function be declared without a body.
