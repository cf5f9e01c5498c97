# What version of Tcl is this? tclsh has no option that says so.
puts "Tcl [info patchlevel]"
